"""One report, listings, the rate limit: docs/vendors/fouryousee.md#2, #3, #6."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from airtally.kit.clock import MovableClock
from airtally.kit.faults import Faults
from fixtures.signage import DAY, Site

KEYS = ["id", "type", "format", "filter", "status", "url", "createdAt", "updatedAt"]


class HeldBack(Faults):
    """Builds wait until released, or fail when told so."""

    def __init__(self) -> None:
        self.released = threading.Event()
        self.error: Exception | None = None

    def reach(self, point: str) -> None:
        if point == "report.build":
            self.released.wait(120)
            if self.error is not None:
                raise self.error


@pytest.fixture
def held() -> Iterator[HeldBack]:
    faults = HeldBack()
    yield faults
    faults.released.set()


@pytest.fixture
def many(own_site: Callable[..., Site], held: HeldBack) -> Site:
    """250 reports, of which none is built."""
    site = own_site(faults=held)
    for _ in range(250):
        site.ask()
    return site


def test_row_24_while_it_waits(own_site: Callable[..., Site], held: HeldBack) -> None:
    site = own_site(faults=held)
    report_id = site.ask()
    answer = site.get(f"/v1/reports/{report_id}?page=1")
    assert answer.status_code == 200
    report = answer.json()
    assert list(report) == KEYS
    assert (report["status"], report["url"]) == ("waiting", None)
    assert int(answer.headers["retry-after"]) == 5
    held.released.set()
    assert site.ended(report_id)["status"] == "success"


def test_row_25_when_it_is_done(plays: Site) -> None:
    report_id = plays.ask()
    plays.ended(report_id)
    answer = plays.get(f"/v1/reports/{report_id}")
    report = answer.json()
    assert list(report) == KEYS
    assert report["status"] == "success"
    assert report["url"]
    assert report["updatedAt"] >= report["createdAt"]
    assert "retry-after" not in answer.headers
    assert answer.headers["airtally-timezone"] == "UTC"
    assert answer.headers["airtally-data-through"].endswith("Z")


def test_row_26_the_file(plays: Site) -> None:
    report = plays.ended(plays.ask(endDate="2026-10-02"))
    answer = httpx.get(report["url"])
    assert answer.status_code == 200
    assert answer.content[:2] == b"\x1f\x8b"
    assert answer.headers["content-type"] == "application/gzip"
    assert "content-encoding" not in answer.headers
    lines = plays.lines(report)
    assert len(lines) == 4
    assert {tuple(line) for line in lines} == {("account", "date", "time", "playerId", "mediaId", "ip", "type")}
    assert lines[-1] == {
        "account": plays.slug,
        "date": "2026-10-01",
        "time": "08:00:00",
        "playerId": 2,
        "mediaId": 48,
        "ip": "0.0.0.0",
        "type": "I",
    }


def test_row_27_a_failure(own_site: Callable[..., Site], held: HeldBack) -> None:
    held.error = RuntimeError("the test wants it")
    held.released.set()
    site = own_site(faults=held)
    report = site.ended(site.ask())
    assert list(report) == [*KEYS, "error"]
    assert (report["status"], report["url"]) == ("failed", None)
    assert report["error"] == {"code": 422, "message": "There was an error generating the report"}
    [listed] = site.get("/v1/reports").json()["results"]
    assert list(listed) == KEYS
    assert listed["status"] == "failed"


@pytest.mark.parametrize("item", ["999999", "abc", "7399.0", "-1", "9" * 30, "٣"])
def test_row_28_an_unknown_id(site: Site, item: str) -> None:
    answer = site.get(f"/v1/reports/{item}")
    assert answer.status_code == 404
    assert answer.text == f'{{"message":"Report with ID {item} was not found"}}'


def test_row_29_an_id_of_another_account(site: Site, other_site: Site) -> None:
    report_id = site.ask()
    answer = other_site.get(f"/v1/reports/{report_id}")
    assert answer.status_code == 403
    assert answer.text == f'{{"message":"Report with ID {report_id} does not belong to current user"}}'
    assert other_site.get("/v1/reports").json()["total"] == 0


def test_row_30_250_reports_in_pages(many: Site) -> None:
    pages = [many.get(f"/v1/reports?page={number}").json() for number in (1, 2, 3, 4)]
    assert [len(page["results"]) for page in pages] == [100, 100, 50, 0]
    assert {(page["total"], page["totalPages"]) for page in pages} == {(250, 3)}
    assert [page["currentPage"] for page in pages] == [1, 2, 3, 4]
    ids = [report["id"] for page in pages for report in page["results"]]
    assert ids == sorted(set(ids))
    assert all(list(report) == KEYS for report in pages[0]["results"])
    _rows_31_and_32(many, ids)


def _rows_31_and_32(many: Site, ids: list[int]) -> None:
    """On the same 250 reports, for they take a while to ask for."""
    assert len(many.get("/v1/reports?limit=500").json()["results"]) == 100
    ten = many.get("/v1/reports?limit=10").json()
    assert (len(ten["results"]), ten["totalPages"]) == (10, 25)
    for wrong in ("page=x", "page=0", "page=-3", "page=", "limit=0", "limit=-5", "limit=abc", "page=1.5"):
        answer = many.get(f"/v1/reports?{wrong}").json()
        assert (answer["currentPage"], len(answer["results"])) == (1, 100)
    [newest] = many.get("/v1/reports?sort=-id&limit=1").json()["results"]
    assert newest["id"] == ids[-1]
    sorted_twice = many.get("/v1/reports?sort=-status,nope,-id&limit=2").json()["results"]
    assert [report["id"] for report in sorted_twice] == ids[:-3:-1]


def test_row_31_limits_and_pages_that_are_none(site: Site) -> None:
    """Counted on one report; `test_row_30_250_reports_in_pages` has the pages."""
    site.ask()
    for query in ("limit=500", "limit=10", "page=x"):
        answer = site.get(f"/v1/reports?{query}").json()
        assert (answer["currentPage"], len(answer["results"]), answer["totalPages"]) == (1, 1, 1)


def test_row_32_the_newest_first(site: Site) -> None:
    ids = [site.ask() for _ in range(3)]
    [newest] = site.get("/v1/reports?sort=-id&limit=1").json()["results"]
    assert newest["id"] == ids[-1]


@pytest.fixture
def limited(own_site: Callable[..., Site]) -> Site:
    return own_site(rate_limits=True)


def test_row_33_two_calls_within_a_second(limited: Site, clock: MovableClock) -> None:
    assert limited.get("/v1/reports").status_code == 200
    answer = limited.get("/v1/reports")
    assert answer.status_code == 429
    assert answer.text == '{"message":"Too many requests"}'
    assert answer.headers["retry-after"] == "1"
    clock.advance(0.999)
    assert limited.get("/v1/reports").status_code == 429
    clock.advance(1)
    assert limited.get("/v1/reports").status_code == 200


def test_row_33_on_post_with_details(limited: Site) -> None:
    assert limited.post({"filter": DAY}).status_code == 200
    answer = limited.post({"filter": DAY})
    assert answer.status_code == 429
    assert answer.json() == {"message": "Too many requests", "details": {"report": ["Too many requests"]}}


def test_row_34_pages_are_uris_of_their_own(limited: Site) -> None:
    assert limited.get("/v1/reports?page=1").status_code == 200
    assert limited.get("/v1/reports?page=2").status_code == 200


def test_a_preflight_is_never_limited(limited: Site) -> None:
    assert {limited.http.options("/v1/players").status_code for _ in range(5)} == {204}


def test_reports_are_sorted_by_time_of_creation(site: Site, shared_server: Any) -> None:
    first = site.ask()
    shared_server.services.clock.advance(2)
    second = site.ask()
    listed = site.get("/v1/reports?sort=-createdAt,id").json()["results"]
    assert [report["id"] for report in listed] == [second, first]


def test_a_get_with_a_body_and_a_content_type_is_a_get(site: Site) -> None:
    answer = site.http.request("GET", "/v1/reports", content=b"{}", headers={"Content-Type": "application/json"})
    assert answer.status_code == 200
