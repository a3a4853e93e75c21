"""Every operation of the native API with every scope and role: what each may call, and what it may not."""

from __future__ import annotations

import re

import httpx
import pytest

from airtally.accounts.keys import KeyOptions
from airtally.accounts.permissions import Permission, UserRole
from fixtures.native import Native
from fixtures.operations import declared_operations

OPERATIONS = declared_operations()
ROWS = ("POST", "/api/v1/streams/{stream}/events")

#: What each caller may do, as docs/guides/security.md says it.
MAY = {
    "nobody": set(),
    "read": {"read"},
    "write": {"write"},
    "admin": {"read", "write", "admin"},
    "read and write": {"read", "write"},
    "viewer": {"read"},
    "an admin user": {"read", "write", "admin"},
    "operator": {"read", "write", "admin", "operator"},
}
USERS = {"viewer": UserRole.VIEWER, "an admin user": UserRole.ADMIN, "operator": UserRole.OPERATOR}


def token_of(services, account, caller):
    if caller in USERS:
        name = caller.replace(" ", "-")
        user = services.access.users.create(
            account,
            username=f"{name}-{account.slug}",
            name=name,
            email="a@x.org",
            password="long enough",
            role=USERS[caller],
        )
        return services.access.keys.create(account, "native", user=user).credentials["token"]
    scopes = frozenset(caller.split(" and "))
    return services.access.keys.create(account, "native", KeyOptions(scopes)).credentials["token"]


@pytest.fixture(scope="module")
def callers(api_server):
    """A client for each kind of caller, all of one account."""
    native = Native(api_server, "permissions")
    clients = {}
    for caller in MAY:
        headers = {}
        if caller != "nobody":
            headers["Authorization"] = f"Bearer {token_of(api_server.services, native.account, caller)}"
        clients[caller] = httpx.Client(base_url=api_server.url, headers=headers, timeout=120)
    yield clients
    native.http.close()
    for client in clients.values():
        client.close()


@pytest.mark.parametrize("caller", MAY)
@pytest.mark.parametrize(("method", "path"), [*OPERATIONS, ROWS], ids=str)
def test_who_may_call_what(callers, caller, method, path):
    """An id that nobody has and a body that is none: what is allowed fails later, and differently."""
    permission = "write" if (method, path) == ROWS else OPERATIONS[method, path].permission
    target = re.sub(r"\{\w+\}", "987654321", path)
    answer = callers[caller].request(method, target, content=b"no body", headers={"Content-Type": "application/json"})
    if permission is None:
        assert answer.status_code in {400, 401}
    elif permission in MAY[caller]:
        assert answer.status_code not in {401, 403}, answer.text
        assert answer.status_code < 500
    else:
        assert answer.status_code == (401 if caller == "nobody" else 403), answer.text
    if answer.status_code >= 400:
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json()["status"] == answer.status_code


def test_a_write_key_does_nothing_but_write_rows():
    """An operation that asks for `write` is open to keys on devices in the field: these write a row and show none."""
    record = "/api/v1/streams/{stream}/records/{record}"
    writing = {path for path, declared in OPERATIONS.items() if declared.permission == Permission.WRITE}
    assert writing == {("PUT", record), ("DELETE", record)}
