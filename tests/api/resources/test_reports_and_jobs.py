"""4YouSee's reports, the tries of their notices, and jobs, over HTTP."""

from __future__ import annotations

import time
from ipaddress import ip_network

import httpx
import pytest


@pytest.fixture
def admin(start_server, join):
    server = start_server(outgoing_allow=(ip_network("127.0.0.0/8"),))
    client = join(server, scopes=("admin",))
    client.secret = server.services.access.keys.create(client.account, "fouryousee").credentials["secret_token"]
    client.server = server
    return client


def asked(client, **more):
    day = {"startDate": "2026-10-01", "endDate": "2026-10-01"}
    body = {"type": "detailed", "filter": day} | more
    made = httpx.post(f"{client.server.url}/v1/reports", json=body, headers={"Secret-Token": client.secret}, timeout=60)
    assert made.status_code in {200, 201}, made.text
    return made.json()["id"]


def test_a_report_and_its_job(admin):
    admin.send("playlogs", [{"player_id": 7001, "media_id": 8001, "played_at": "2026-10-01T08:00:00"}])
    first, second = asked(admin), asked(admin)
    report = admin.ended_report(first)
    assert (report["state"], report["rows"]) == ("success", 1)
    assert httpx.get(report["url"]).status_code == 200
    assert [each["id"] for each in admin.http.get("/api/v1/reports").json()["items"]] == [second, first]
    admin.ended_report(second)
    for state, expected in (("success", [second, first]), ("waiting", [])):
        listed = admin.http.get("/api/v1/reports", params={"state": state}).json()["items"]
        assert [each["id"] for each in listed] == expected
    page = admin.http.get("/api/v1/jobs", params={"limit": 1}).json()
    assert page["items"][0]["subject"] == str(second)
    older = admin.http.get("/api/v1/jobs", params={"limit": 1, "cursor": page["next"]}).json()["items"][0]
    assert (older["kind"], older["subject"], older["state"]) == ("report", str(first), "done")
    assert admin.http.get(f"/api/v1/jobs/{older['id']}").json() == older
    assert (report["job"], report["rows_read"], report["rows_to_read"]) == (older["id"], 1, 1)
    assert admin.http.get("/api/v1/jobs", params={"state": "failed"}).json()["items"] == []
    assert admin.http.get("/api/v1/jobs", params={"everywhere": True}).status_code == 403


def test_a_notice_is_looked_at_and_sent_again(admin, receiver):
    report = asked(admin, webhook=receiver.url)
    admin.ended_report(report)
    first = tried(admin, report, 1)[0]
    assert (first["attempt"], first["state"], first["status_code"]) == (1, "acknowledged", 200)
    assert str(report) in first["request"]
    assert first["request_headers"] == {"Content-Type": "application/json"}
    assert (first["answer_body"], first["answer_headers"]["content-type"]) == ("ok", "text/html")
    assert first["duration_ms"] > 0
    again = admin.http.post(f"/api/v1/report-deliveries/{first['id']}/redeliver", json={})
    assert (again.status_code, again.json()["attempt"]) == (201, 0)
    newest, _ = tried(admin, report, 2)
    assert (newest["id"], newest["state"]) == (again.json()["id"], "acknowledged")
    assert admin.http.get("/api/v1/report-deliveries").json()["items"][0] == newest


def tried(client, report, count):
    """The tries of its notice, newest first, once there are so many that have ended."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        items = client.http.get(f"/api/v1/reports/{report}/deliveries").json()["items"]
        if sum(each["state"] == "acknowledged" for each in items) >= count:
            return items
        time.sleep(0.1)
    raise AssertionError("the notice was not sent")


def test_another_accounts_report_and_job_are_not_there(admin, join):
    report = asked(admin)
    job = admin.http.get("/api/v1/jobs").json()["items"][0]["id"]
    other = join(admin.server, scopes=("admin",))
    for path in (f"/reports/{report}", f"/reports/{report}/deliveries", f"/jobs/{job}"):
        assert other.http.get(f"/api/v1{path}").status_code == 404
    assert other.http.get("/api/v1/jobs").json()["items"] == []
