"""Accounts, users, tokens, keys and the audit trail over HTTP."""

from __future__ import annotations

import gzip

import httpx
import pytest

from airtally.accounts.permissions import UserRole
from fixtures.native import Native

PASSWORD = "correct horse battery"


class Person:
    """A user of an account with a token of the native API."""

    def __init__(self, server, account, role, name):
        access = server.services.access
        user = access.users.create(
            account, username=name, name=name, email=f"{name}@example.org", password=PASSWORD, role=role
        )
        token = access.keys.create(account, "native", user=user).credentials["token"]
        headers = {"Authorization": f"Bearer {token}"}
        self.http = httpx.Client(base_url=f"{server.url}/api/v1", headers=headers, timeout=60)


@pytest.fixture
def server(start_server):
    return start_server()


@pytest.fixture
def acme(server, opened):
    return opened(Native(server, "acme"))


@pytest.fixture
def person(server, acme, opened):
    def make(role, name="ana", account=acme.account):
        return opened(Person(server, account, role, name)).http

    return make


def test_an_operator_makes_accounts_and_acts_in_them(person):
    operator = person(UserRole.OPERATOR)
    made = operator.post("/accounts", json={"name": "Beta", "timezone": "Asia/Kolkata"})
    assert (made.status_code, made.json()["slug"]) == (201, "beta")
    assert {each["slug"] for each in operator.get("/accounts").json()["items"]} == {"acme", "beta"}
    in_beta = {"Airtally-Account": "beta"}
    key = operator.post("/keys", json={"kind": "native", "scopes": ["write"]}, headers=in_beta).json()
    assert operator.get("/keys", headers=in_beta).json()["items"][0]["id"] == key["id"]
    assert key["id"] not in [each["id"] for each in operator.get("/keys").json()["items"]]
    changed = operator.patch("/accounts/beta", json={"timezone": "Asia/Kathmandu"})
    assert changed.json()["timezone"] == "Asia/Kathmandu"


def test_an_admin_sees_only_the_own_account(person, server, join):
    other, admin = join(server), person(UserRole.ADMIN)
    assert [each["slug"] for each in admin.get("/accounts").json()["items"]] == ["acme"]
    assert admin.get(f"/accounts/{other.account.slug}").status_code == 404
    assert admin.get("/keys", headers={"Airtally-Account": other.account.slug}).status_code == 404
    assert admin.post("/accounts", json={"name": "Beta"}).status_code == 403


def test_an_admin_cannot_become_an_operator(person, server):
    person(UserRole.OPERATOR, "root")
    admin = person(UserRole.ADMIN)
    user = {"username": "eve", "name": "Eve", "email": "eve@example.org", "password": PASSWORD}
    assert admin.post("/users", json=user | {"role": "operator"}).status_code == 403
    assert admin.patch("/users/ana", json={"role": "operator"}).status_code == 403
    assert admin.patch("/users/root", json={"password": "another one, longer"}).status_code == 403
    assert admin.delete("/users/root").status_code == 403
    assert admin.post("/users", json=user).json()["role"] == "viewer"


def test_a_role_taken_away_counts_at_once(person):
    operator, admin = person(UserRole.OPERATOR, "root"), person(UserRole.ADMIN)
    assert admin.get("/users").status_code == 200
    operator.patch("/users/ana", json={"role": "viewer"})
    assert admin.get("/users").status_code == 403
    assert admin.get("/me").json()["permissions"] == ["read"]
    operator.delete("/users/ana")
    assert admin.get("/me").status_code == 401


def test_a_new_password_ends_tokens(person, server):
    operator, viewer = person(UserRole.OPERATOR, "root"), person(UserRole.VIEWER)
    operator.patch("/users/ana", json={"password": "another one, longer"})
    assert viewer.get("/me").status_code == 401
    assert httpx.post(f"{server.url}/api/v1/tokens", json={}, auth=("ana", PASSWORD)).status_code == 401


def test_a_token_can_be_narrowed(person, server):
    person(UserRole.ADMIN)
    made = httpx.post(f"{server.url}/api/v1/tokens", json={"scopes": ["write"]}, auth=("ana", PASSWORD)).json()
    assert made["expires_at"] > "2026"
    headers = {"Authorization": f"Bearer {made['token']}"}
    assert httpx.get(f"{server.url}/api/v1/me", headers=headers).status_code == 403
    wide = person(UserRole.VIEWER, "bo")
    assert wide.get("/me").json()["permissions"] == ["read"]


def test_every_change_is_in_the_audit_trail(person):
    operator = person(UserRole.OPERATOR)
    key = operator.post("/keys", json={"kind": "native", "scopes": ["read"]}).json()["id"]
    operator.delete(f"/keys/{key}")
    operator.delete(f"/keys/{key}")
    entries = operator.get("/audit").json()["items"]
    assert [(each["action"], each["target"], each["actor_kind"], each["actor"]) for each in entries[:2]] == [
        ("key.revoke", f"key {key}", "user", "ana"),
        ("key.create", f"key {key}", "user", "ana"),
    ]
    assert entries[0]["address"] == "127.0.0.1"


def test_pages_lead_through_a_listing(person):
    operator = person(UserRole.OPERATOR)
    for number in range(5):
        operator.post("/accounts", json={"name": f"Site {number}"})
    found, cursor = [], {}
    while True:
        page = operator.get("/accounts", params={"limit": 2} | cursor).json()
        found += [each["slug"] for each in page["items"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert found == ["acme", *(f"site-{number}" for number in range(5))]
    assert operator.get("/accounts", params={"cursor": "x"}).status_code == 422
    assert operator.get("/accounts", params={"limit": 1001}).status_code == 422
    assert operator.get("/accounts", params={"colour": "red"}).status_code == 422


def test_a_repeated_request_gets_the_first_ones_answer(person):
    operator = person(UserRole.OPERATOR)
    asked = {"kind": "native", "scopes": ["read"]}
    first, second = (operator.post("/keys", json=asked, headers={"Idempotency-Key": "k1"}) for _ in range(2))
    assert first.json() == second.json()
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.headers["Idempotency-Replayed"] == "true"
    other = operator.post("/keys", json=asked | {"scopes": ["write"]}, headers={"Idempotency-Key": "k1"})
    assert other.status_code == 422
    refused = operator.post("/keys", json={"kind": "no such"}, headers={"Idempotency-Key": "k2"})
    assert refused.status_code == 400
    assert operator.post("/keys", json=asked, headers={"Idempotency-Key": "k2"}).status_code == 201


def test_a_known_answer_is_not_sent_again(person):
    viewer = person(UserRole.VIEWER)
    first = viewer.get("/accounts")
    again = viewer.get("/accounts", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert viewer.get("/accounts", headers={"If-None-Match": '"other"'}).status_code == 200


def test_a_change_of_a_user_that_is_refused_changes_nothing(person, server, acme):
    admin, users = person(UserRole.ADMIN), server.services.access.users
    users.create(acme.account, username="bo", name="Bo", email="bo@example.org", password=PASSWORD)
    refused = admin.patch("/users/bo", json={"role": "admin", "name": "Bob", "password": "short"})
    assert refused.status_code == 400
    assert (users.by_name("bo").role, users.by_name("bo").name) == ("viewer", "Bo")
    assert admin.get("/audit").json()["items"][0]["action"] == "user.create"
    both = {"role": "admin", "password": "another one, longer"}
    assert admin.patch("/users/bo", json=both).json()["role"] == "admin"
    assert [each["action"] for each in admin.get("/audit").json()["items"][:2]] == ["user.password", "user.change"]


def test_an_idempotency_key_is_its_callers_own(acme, server, person):
    """Another caller of the account can neither spoil the key nor get what was answered to it."""
    admin, other, viewer = person(UserRole.ADMIN), person(UserRole.ADMIN, "bob"), person(UserRole.VIEWER, "eve")
    repeated = {"Idempotency-Key": "1"}
    asked = {"rows": {"stream": "playlogs", "range": "yesterday"}}
    assert viewer.post("/exports", json=asked, headers=repeated).status_code == 202
    new_key = {"kind": "native", "scopes": ["read"]}
    first, again, others = (each.post("/keys", json=new_key, headers=repeated) for each in (admin, admin, other))
    assert (first.status_code, again.json(), others.status_code) == (201, first.json(), 201)
    assert "Idempotency-Replayed" in again.headers
    assert "Idempotency-Replayed" not in others.headers
    assert others.json()["id"] != first.json()["id"]


def test_a_packed_body_is_refused_in_words(person):
    packed = gzip.compress(b'{"kind": "native", "scopes": ["read"]}')
    answer = person(UserRole.ADMIN).post("/keys", content=packed, headers={"Content-Encoding": "gzip"})
    assert (answer.status_code, "Content-Encoding" in answer.json()["detail"]) == (415, True)


def test_a_header_that_says_who_calls_comes_once(acme):
    headers = [("Authorization", f"Bearer {acme.token}")] * 2
    assert httpx.get(f"{acme.http.base_url}/api/v1/me", headers=headers).status_code == 400
