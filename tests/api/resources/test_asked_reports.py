"""Reports that are asked for natively: the same as 4YouSee's wire makes; and deleted."""

from __future__ import annotations

import gzip
import json

import httpx
import pytest

PLAYS = b"".join(
    b'{"player_id": %d, "media_id": %d, "played_at": "2026-10-0%dT08:00:0%d"}\n' % (7 + n % 2, n, 1 + n % 3, n)
    for n in range(6)
)
ASKED = {"start_date": "2026-10-01", "end_date": "2026-10-02"}


@pytest.fixture
def admin(api_server, join):
    client = join(api_server, scopes=("admin",))
    client.server = api_server
    client.send("playlogs", PLAYS)
    return client


def asked(client, **fields):
    answer = client.http.post("/api/v1/reports", json=ASKED | fields)
    assert answer.status_code == 202, answer.text
    assert answer.headers["Location"] == f"/api/v1/reports/{answer.json()['id']}"
    return client.ended_report(answer.json()["id"])


def lines_of(report):
    return [json.loads(line) for line in gzip.decompress(httpx.get(report["url"]).content).splitlines()]


def test_it_is_the_report_that_4yousees_wire_makes(admin):
    secret = admin.server.services.access.keys.create(admin.account, "fouryousee").credentials["secret_token"]
    native = asked(admin, player_ids=[7], order="oldest", start_time="08:00:00")
    plays = {"startDate": "2026-10-01", "endDate": "2026-10-02", "playerId": [7], "sort": 1, "startTime": "08:00:00"}
    headers = {"Secret-Token": secret}
    wire = httpx.post(f"{admin.server.url}/v1/reports", json={"filter": plays}, headers=headers, timeout=60).json()
    same = admin.ended_report(wire["id"])
    assert (native["filter"], native["sha256"]) == (same["filter"], same["sha256"])
    assert [each["mediaId"] for each in lines_of(native)] == [0, 4]
    assert httpx.get(f"{admin.server.url}/v1/reports/{native['id']}", headers=headers).json()["status"] == "success"


def test_all_of_it_without_ids_and_the_newest_first(admin):
    assert [each["mediaId"] for each in lines_of(asked(admin))] == [4, 1, 3, 0]


def test_the_file_is_fetched_with_a_key_as_with_its_link(admin, api_server, join):
    report = asked(admin)
    path = f"/api/v1/reports/{report['id']}/file"
    file = admin.http.get(path, headers={"Accept-Encoding": "identity"})
    assert (file.status_code, file.headers["Content-Type"]) == (200, "application/gzip")
    assert file.content == httpx.get(report["url"]).content
    assert admin.http.get(path, headers={"Range": "bytes=2-4"}).content == file.content[2:5]
    assert admin.http.get("/api/v1/reports/987654/file").status_code == 404
    assert join(api_server, scopes=("read",)).http.get(path).status_code == 404
    assert httpx.get(f"{api_server.url}{path}").status_code == 401
    admin.http.delete(f"/api/v1/reports/{report['id']}").raise_for_status()
    assert admin.http.get(path).status_code == 404


def test_a_repeated_request_is_one_report(admin):
    key = {"Idempotency-Key": "one"}
    first, again = (admin.http.post("/api/v1/reports", json=ASKED, headers=key) for _ in range(2))
    assert (first.status_code, first.json()["id"]) == (again.status_code, again.json()["id"])
    assert len(admin.http.get("/api/v1/reports").json()["items"]) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"end_date": "2026-09-30"},
        {"end_date": "2027-10-02"},
        {"end_date": "9999-12-31", "start_date": "9999-12-30"},
        {"start_date": "2026-10-32"},
        {"start_date": None},
        {"start_time": "08:00:00.5"},
        {"start_time": "08:00:00Z"},
        {"start_time": "12:00:00", "end_time": "11:59:58", "end_date": "2026-10-01"},
        {"player_ids": ["seven"]},
        {"player_ids": [2**63]},
        {"order": "random"},
        {"webhook": "ftp://example.org/"},
        {"webhook": "http://exa\0mple.org/"},
        {"startDate": "2026-10-01"},
    ],
    ids=str,
)
def test_what_cannot_be_asked(admin, wrong):
    answer = admin.http.post("/api/v1/reports", json=ASKED | wrong)
    assert (answer.status_code, answer.headers["Content-Type"]) == (422, "application/problem+json"), answer.text


def test_only_admins_have_webhooks_and_delete(admin, api_server, join):
    reader = join(api_server, scopes=("read",))
    assert reader.http.post("/api/v1/reports", json=ASKED | {"webhook": "https://example.org/"}).status_code == 403
    report = reader.http.post("/api/v1/reports", json=ASKED).json()
    assert reader.http.delete(f"/api/v1/reports/{report['id']}").status_code == 403
    assert admin.http.delete(f"/api/v1/reports/{report['id']}").status_code == 404
    reader.ended_report(report["id"])


def test_a_deleted_report_is_gone_with_its_file(admin):
    secret = admin.server.services.access.keys.create(admin.account, "fouryousee").credentials["secret_token"]
    kept, report = asked(admin), asked(admin)
    path = f"/api/v1/reports/{report['id']}"
    assert admin.http.delete(path).status_code == 204
    assert admin.http.get(path).status_code == admin.http.delete(path).status_code == 404
    assert httpx.get(report["url"]).status_code == 404
    assert httpx.get(kept["url"]).status_code == 200
    wire = httpx.get(f"{admin.server.url}/v1/reports/{report['id']}", headers={"Secret-Token": secret})
    assert wire.status_code == 404
    folder = admin.server.services.settings.home / "files" / "reports" / admin.account.slug
    assert len(list(folder.iterdir())) == 1
    assert admin.http.get("/api/v1/audit").json()["items"][0]["action"] == "report.delete"
    assert [each["id"] for each in admin.http.get("/api/v1/reports").json()["items"]] == [kept["id"]]
