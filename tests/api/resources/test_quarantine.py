"""Refused rows over HTTP: listed, read, sent again, dropped."""

from __future__ import annotations

import pytest

GOOD = {"player_id": 7001, "media_id": 8001, "played_at": "2026-10-01T08:00:00"}
BAD = {"player_id": "seven", "media_id": 8001, "played_at": "2026-10-01T08:00:00"}


@pytest.fixture
def admin(api_server, join):
    return join(api_server, scopes=("admin",))


def test_entries_and_their_rows_in_pages(admin):
    admin.send("playlogs", [BAD, GOOD, BAD, BAD])
    admin.send("players", [{"player_id": "x"}])
    newest, oldest = admin.http.get("/api/v1/quarantine").json()["items"]
    assert (newest["stream"], newest["rows"], oldest["stream"], oldest["rows"]) == ("players", 1, "playlogs", 3)
    assert admin.http.get(f"/api/v1/quarantine/{oldest['id']}").json() == oldest
    of_stream = admin.http.get("/api/v1/quarantine", params={"stream": "playlogs"}).json()["items"]
    assert of_stream == [oldest]
    first = admin.http.get("/api/v1/quarantine", params={"limit": 1}).json()
    assert first["items"] == [newest]
    assert admin.http.get("/api/v1/quarantine", params={"limit": 1, "cursor": first["next"]}).json()["items"] == [
        oldest
    ]
    rows, cursor = [], None
    while True:
        asked = {"limit": 2} | ({} if cursor is None else {"cursor": cursor})
        page = admin.http.get(f"/api/v1/quarantine/{oldest['id']}/rows", params=asked).json()
        rows += page["items"]
        cursor = page["next"]
        if cursor is None:
            break
    assert [(row["line"], row["field"]) for row in rows] == [(1, "player_id"), (3, "player_id"), (4, "player_id")]
    assert "seven" in rows[0]["raw"]


def test_an_entry_is_sent_again_and_dropped(admin):
    admin.send("catalog", [{"business_id": "later", "id": "t1"}])
    entry = admin.http.get("/api/v1/quarantine").json()["items"][0]
    again = admin.http.post(f"/api/v1/quarantine/{entry['id']}/resend", json={})
    assert again.json() == {"accepted": 0, "rejected": 1}
    made = {"group": "g", "id": "later", "name": "Later", "datasets": {"catalog": f"d-{admin.account.slug}"}}
    assert admin.http.post("/api/v1/slate/businesses", json=made).status_code == 201
    again = admin.http.post(f"/api/v1/quarantine/{entry['id']}/resend", json={})
    assert again.json() == {"accepted": 1, "rejected": 0}
    assert admin.http.post(f"/api/v1/quarantine/{entry['id']}/resend", json={}).status_code == 409
    assert admin.http.delete(f"/api/v1/quarantine/{entry['id']}").status_code == 204
    assert admin.http.get(f"/api/v1/quarantine/{entry['id']}/rows").status_code == 404
    actions = [each["action"] for each in admin.http.get("/api/v1/audit").json()["items"]]
    assert actions[:2] == ["quarantine.drop", "quarantine.resend"]


def test_another_accounts_entry_is_not_there(admin, api_server, join):
    other = join(api_server, scopes=("admin",))
    admin.send("playlogs", [BAD])
    entry = admin.http.get("/api/v1/quarantine").json()["items"][0]["id"]
    for method, path in (("GET", ""), ("GET", "/rows"), ("POST", "/resend"), ("DELETE", "")):
        answer = other.http.request(method, f"/api/v1/quarantine/{entry}{path}", json={} if method == "POST" else None)
        assert answer.status_code == 404
