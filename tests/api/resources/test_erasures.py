"""Erasures and the closing of accounts over HTTP."""

from __future__ import annotations

import httpx
import pytest

from airtally.accounts.permissions import UserRole
from fixtures.native import Native
from fixtures.signage import until


@pytest.fixture
def server(start_server):
    return start_server()


@pytest.fixture
def acme(server, opened):
    client = opened(Native(server, "acme", scopes=("admin",)))
    client.send("applications", [{"application": "A-1"}])
    return client


@pytest.fixture
def operator(server, opened):
    owner = opened(Native(server, "house"))
    user = server.services.access.users.create(
        owner.account, username="op", name="Op", email="op@x.org", password="long enough", role=UserRole.OPERATOR
    )
    token = server.services.access.keys.create(owner.account, "native", user=user).credentials["token"]
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=f"{server.url}/api/v1", headers=headers, timeout=60) as client:
        yield client


def send_rows(client):
    client.send("devices", [{"application": "A-1", "hwid": "d1", "user_id": "ann"}])
    event = {"application": "A-1", "event": "e", "time": "2026-11-01T10:00:00Z"}
    client.send("app_events", [event | {"hwid": hwid} for hwid in ("d1", "d1", "d2")])


def ended(get):
    return until(lambda: (found := get().json())["state"] in {"erased", "done"} and found, 60)


def test_a_person_is_erased(acme):
    send_rows(acme)
    asked = {"user_id": ["ann"]}
    preview = acme.http.post("/api/v1/erasures/preview", json=asked).json()["findings"]
    assert sum(each["found"] for each in preview if each["part"] == "app_events") == 2
    made = acme.http.post("/api/v1/erasures", json=asked)
    assert (made.status_code, made.json()["state"], made.json()["kind"]) == (202, "waiting", "person")
    found = ended(lambda: acme.http.get(made.headers["Location"]))
    by_part = {each["part"]: each for each in found["findings"] if each["store"] == "lake"}
    assert (by_part["app_events"]["erased"], by_part["devices"]["erased"]) == (2, 1)
    assert acme.count("app_events") == 1
    listed = acme.http.get("/api/v1/erasures").json()["items"]
    assert [each["id"] for each in listed] == [found["id"]]
    [entry] = [each for each in acme.http.get("/api/v1/audit").json()["items"] if each["action"] == "erasure.create"]
    assert entry["details"] == {"of": "person", "by": ["user_id"]}


def test_another_accounts_erasure_is_not_there(acme, server, opened):
    other = opened(Native(server, "rival", scopes=("admin",)))
    made = acme.http.post("/api/v1/erasures", json={"cid": ["x"]}).json()
    assert other.http.get(f"/api/v1/erasures/{made['id']}").status_code == 404
    assert other.http.get("/api/v1/erasures").json()["items"] == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"user_id": []}, 400),
        ({"user_id": [""]}, 400),
        ({"user_id": "ann"}, 422),
        ({"name": ["x"]}, 422),
        ({"user_id": ["x" * 257]}, 400),
        ({"user_id": ["a\x00b"]}, 400),
        ({"hwid": ["x"] * 1000 + ["y"]}, 202),
        ({"hwid": [str(each) for each in range(1001)]}, 400),
    ],
)
def test_who_cannot_be_a_person(acme, body, status):
    assert acme.http.post("/api/v1/erasures", json=body).status_code == status


def test_an_account_is_closed_opened_and_deleted(acme, operator):
    send_rows(acme)
    closed = operator.post("/accounts/acme/close", json={"days": 3}).json()
    assert closed["account"]["closed_at"] is not None
    assert acme.http.get("/api/v1/erasures").status_code == 401
    assert acme.send("devices", [{"application": "A-1", "hwid": "d9"}]).status_code == 401
    assert operator.get("/exports", headers={"Airtally-Account": "acme"}).status_code == 403
    assert operator.get("/keys", headers={"Airtally-Account": "acme"}).status_code == 200
    assert {each["slug"] for each in operator.get("/accounts").json()["items"]} == {"acme", "house"}
    assert operator.post("/accounts/acme/reopen", json={}).json()["closed_at"] is None
    assert acme.count("app_events") == 3
    for headers in ({}, {"Airtally-Account": "acme"}):
        assert operator.post("/accounts/house/close", headers=headers).status_code == 409
        assert operator.delete("/accounts/house", headers=headers).status_code == 409
    gone = operator.delete("/accounts/acme")
    assert (gone.status_code, gone.json()["kind"]) == (202, "account")
    found = ended(lambda: operator.get("/accounts/acme/deletion"))
    assert {each["part"]: each["erased"] for each in found["findings"] if each["store"] == "lake"} == {
        "applications": 1,
        "app_events": 3,
        "devices": 1,
    }
    assert acme.http.get("/api/v1/erasures").status_code == 401
    assert operator.post("/accounts/acme/reopen", json={}).status_code == 404
    assert operator.post("/accounts", json={"name": "Acme"}).status_code == 409
    assert [each["slug"] for each in operator.get("/accounts").json()["items"]] == ["house"]


def test_an_admin_does_not_close_accounts(acme):
    for path in ("close", "reopen"):
        assert acme.http.post(f"/api/v1/accounts/acme/{path}", json={}).status_code == 403
    assert acme.http.delete("/api/v1/accounts/acme").status_code == 403


def test_links_and_device_calls_of_a_closed_account_are_refused(server, acme, operator):
    rows = {"rows": {"stream": "applications"}, "format": "csv", "compression": "none"}
    export = acme.http.post("/api/v1/exports", json=rows).json()
    parts = f"/api/v1/exports/{export['id']}/parts"
    [part] = until(lambda: acme.http.get(parts).json()["items"], 60)
    call = {"request": {"application": "A-1", "hwid": "d1", "device_type": 3, "push_token": "t"}}

    def registered():
        return httpx.post(f"{server.url}/json/1.3/registerDevice", json=call).json()["status_code"]

    assert (httpx.get(part["url"]).status_code, registered()) == (200, 200)
    operator.post("/accounts/acme/close", json={})
    until(lambda: registered() != 200, 10)  # the account is remembered for a second
    assert httpx.get(part["url"]).status_code == 404
    operator.post("/accounts/acme/reopen")  # without a body, as all of its fields may be left out
    assert (httpx.get(part["url"]).status_code, registered()) == (200, 200)
