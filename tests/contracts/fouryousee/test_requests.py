"""Authentication and report requests: docs/vendors/fouryousee.md#1, #5."""

from __future__ import annotations

import gzip
from typing import Any

import httpx
import pytest

from fixtures.receiver import Receiver
from fixtures.signage import DAY, P1, P2, P3, P4, P5, Site, shown

KEYS = ["id", "type", "format", "filter", "status", "url", "createdAt", "updatedAt"]
ECHO = {
    "startDate": "2026-10-01",
    "startTime": "00:00:00",
    "endDate": "2026-10-01",
    "endTime": "23:59:59",
    "mediaId": [],
    "playerId": [],
    "sort": -1,
}


def details(answer: httpx.Response) -> list[str]:
    """The problems of a refused request, each a text."""
    found = answer.json()["details"]["report"]
    assert found
    assert all(isinstance(problem, str) and problem for problem in found)
    return list(found)


def total(site: Site) -> int:
    return int(site.get("/v1/reports").json()["total"])


def test_row_01_no_token(site: Site) -> None:
    with site.client(None) as http:
        answer = http.get("/v1/reports")
    assert answer.status_code == 401
    assert answer.text == '{"message":"Invalid or missing Secret-Token"}'
    assert answer.headers["content-type"] == "application/json"


def test_row_02_users_tells_a_token(site: Site) -> None:
    with site.client("0" * 32) as http:
        assert http.get("/v1/users").status_code == 401
    assert site.get("/v1/users").status_code == 200


@pytest.mark.parametrize("token", [None, "", "x", "f" * 32, "é" * 16])
def test_row_03_post_with_a_wrong_token(site: Site, token: str | None) -> None:
    headers = {} if token is None else {"Secret-Token": token.encode()}
    answer = httpx.post(f"{site.server.url}/v1/reports", json={"filter": DAY}, headers=headers)
    assert answer.status_code == 401
    assert details(answer) == ["Invalid or missing Secret-Token"]


def test_row_04_no_reports_yet(site: Site) -> None:
    answer = site.get("/v1/reports")
    assert answer.status_code == 200
    assert answer.text == '{"results":[],"total":0,"currentPage":1,"totalPages":0}'


def test_row_05_a_request_is_accepted(site: Site) -> None:
    asked = {
        "type": "detailed",
        "filter": DAY | {"startTime": "00:00:00", "endTime": "23:59:59", "mediaId": [], "playerId": [], "sort": -1},
    }
    answer = site.post(asked)
    assert answer.status_code == 200
    report = answer.json()
    assert list(report) == KEYS
    assert list(report["filter"]) == list(ECHO)
    assert (report["type"], report["format"], report["status"], report["url"]) == ("detailed", "json", "waiting", None)
    assert report["filter"] == ECHO
    assert report["createdAt"] == report["updatedAt"]
    assert report["createdAt"].endswith("+00:00")
    assert isinstance(report["id"], int)
    assert report["id"] > 0


def test_row_06_with_a_trailing_slash(site: Site) -> None:
    answer = site.http.post("/v1/reports/", json={"filter": DAY}, follow_redirects=False)
    assert answer.status_code == 200
    assert list(answer.json()) == KEYS


def test_row_07_without_content_type(site: Site) -> None:
    body = b'{"filter": {"startDate": "2026-10-01", "endDate": "2026-10-01"}}'
    request = site.http.build_request("POST", "/v1/reports", content=body)
    assert "content-type" not in request.headers
    assert site.http.send(request).json()["filter"] == ECHO


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "a b"]
)
def test_row_07_with_any_content_type(site: Site, media_type: str) -> None:
    body = b'{\n  "filter": {"startDate": "2026-10-01", "endDate": "2026-10-01"}\n}'
    answer = site.http.post("/v1/reports", content=body, headers={"Content-Type": media_type})
    assert answer.json()["filter"] == ECHO


def test_row_08_defaults_are_filled_in(site: Site) -> None:
    report = site.post({"filter": DAY}).json()
    assert (report["type"], report["filter"]) == ("detailed", ECHO)


def test_row_09_a_sort_outside_the_filter_is_ignored(site: Site) -> None:
    assert site.post({"sort": 1, "filter": DAY | {"sort": -1}}).json()["filter"]["sort"] == -1


def test_row_10_another_type(site: Site) -> None:
    answer = site.post({"type": "summary", "filter": DAY})
    assert answer.status_code == 400
    assert answer.json()["message"] == "Invalid report request"
    assert details(answer) == ["type must be detailed"]


@pytest.mark.parametrize("body", [b'{"type":"detailed"}', b'{"filter":[]}', b"not json", b"", b"\xff", b"[" * 60_000])
def test_row_11_without_a_filter(site: Site, body: bytes) -> None:
    answer = site.http.post("/v1/reports", content=body)
    assert answer.status_code == 400
    details(answer)
    assert total(site) == 0


def test_row_12_no_such_day(site: Site) -> None:
    answer = site.post({"filter": DAY | {"startDate": "2026-02-30"}})
    assert answer.status_code == 400
    assert details(answer) == ["filter.startDate must be a date such as 2026-10-01"]


def test_row_13_the_end_before_the_start(site: Site) -> None:
    assert site.post({"filter": {"startDate": "2026-10-02", "endDate": "2026-10-01"}}).status_code == 400


def test_row_14_a_difference_of_30_days(plays: Site) -> None:
    assert plays.plays(endDate="2026-10-31") == shown(P5, P4, P3, P2, P1)


def test_row_15_a_difference_of_31_days(site: Site) -> None:
    answer = site.post({"filter": DAY | {"endDate": "2026-11-01"}})
    assert answer.status_code == 400
    assert details(answer) == ["The maximum interval is 30 days"]
    assert total(site) == 0


def test_row_16_start_equal_to_end(plays: Site) -> None:
    moment = {"startDate": "2026-10-02", "startTime": "00:00:00", "endDate": "2026-10-02", "endTime": "00:00:00"}
    assert plays.plays(**moment) == shown(P4)


def test_row_17_half_a_time(site: Site) -> None:
    answer = site.post({"filter": DAY | {"startTime": ":00"}})
    assert answer.status_code == 400
    details(answer)


@pytest.mark.parametrize("wrong", [{"sort": 2}, {"mediaId": 48}, {"mediaId": ["x"]}])
def test_row_18_fields_that_break_their_rule(site: Site, wrong: dict[str, Any]) -> None:
    answer = site.post({"filter": DAY | wrong})
    assert answer.status_code == 400
    details(answer)


def test_row_19_ids_as_text(plays: Site) -> None:
    report = plays.ended(plays.ask(mediaId=["48"]))
    assert report["filter"]["mediaId"] == [48]
    assert [(each["time"], each["mediaId"]) for each in plays.lines(report)] == [("23:59:59", 48), ("08:00:00", 48)]


def test_row_20_webhooks_that_are_none(site: Site, receiver: Receiver) -> None:
    answer = site.post({"webhook": "", "filter": DAY})
    assert answer.status_code == 200
    site.ended(answer.json()["id"])
    assert site.server.services.deliveries.latest(site.account.id) == []
    refused = site.post({"webhook": "ftp://x", "filter": DAY})
    assert refused.status_code == 400
    assert details(refused) == ["webhook must be an absolute http or https URL"]


def test_row_21_newest_or_oldest_first(plays: Site) -> None:
    assert plays.plays(sort=-1) == shown(P3, P2, P1)
    assert plays.plays(sort=1) == shown(P1, P2, P3)


def test_row_22_players_and_medias(plays: Site) -> None:
    assert plays.plays(endDate="2026-10-02", playerId=[4], mediaId=[51]) == shown(P4)


def test_row_23_no_play(plays: Site) -> None:
    report = plays.ended(plays.ask(startDate="2026-09-01", endDate="2026-09-01"))
    assert report["status"] == "success"
    assert gzip.decompress(httpx.get(report["url"]).content) == b""


def test_every_problem_is_told_and_nothing_is_kept(site: Site) -> None:
    answer = site.post({"type": "x", "filter": DAY | {"sort": 2, "endTime": "25:00"}})
    assert answer.text == (
        '{"message":"Invalid report request","details":{"report":["type must be detailed",'
        '"filter.endTime must be a time such as 23:59:59","filter.sort must be -1 or 1"]}}'
    )
    assert total(site) == 0


def test_two_equal_requests_make_two_reports(site: Site) -> None:
    assert site.ask() != site.ask()
    assert total(site) == 2


def test_a_filter_with_every_media_of_a_large_account(plays: Site) -> None:
    many = list(range(150_000))
    assert plays.plays(mediaId=many, sort=1) == shown(P1, P2, P3)


def test_a_body_over_the_limit_is_refused_in_the_vendors_form(site: Site) -> None:
    answer = site.http.post("/v1/reports", content=b" " * (17 << 20))
    assert answer.status_code == 413
    details(answer)
