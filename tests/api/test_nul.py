"""A NUL, which PostgreSQL takes in no parameter, is refused in every path and query string, in words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from airtally.accounts.permissions import UserRole
from airtally.api.native import native_operations
from airtally.settings import Settings
from fixtures.native import Native
from fixtures.server import LiveServer

NUL = "a%00b"


@pytest.fixture
def server(tmp_path: Path, postgres_url: str) -> Iterator[LiveServer]:
    server = LiveServer(Settings(home=tmp_path / "home", database=postgres_url, rate_limits=False)).start()
    yield server
    server.stop()


@pytest.fixture
def operator(server: LiveServer, opened: Callable[[Any], Any]) -> httpx.Client:
    access = server.services.access
    account = opened(Native(server, "acme")).account
    person = {"username": "root", "name": "Root", "email": "root@example.org", "password": "correct horse battery"}
    user = access.users.create(account, role=UserRole.OPERATOR, **person)
    token = access.keys.create(account, "native", user=user).credentials["token"]
    client: httpx.Client = opened(httpx.Client(headers={"Authorization": f"Bearer {token}"}, timeout=60))
    client.base_url = server.url
    return client


def test_every_path_and_query_string_refuses_it(server: LiveServer, operator: httpx.Client) -> None:
    asked = 0
    for each in native_operations(server.services):
        method = each.declared.method
        fields = getattr(each.declared.query_schema or each.query, "__struct_fields__", ())
        urls = [re.sub(r"\{\w+\}", NUL, each.path)] if "{" in each.path else []
        urls += [f"{re.sub(r'{stream}', 'playlogs', each.path)}?{field}={NUL}" for field in fields]
        for url in urls:
            answer = operator.request(method, url, json=None if method == "GET" else {})
            assert answer.status_code in {400, 401, 404, 409, 422}, (method, url, answer.status_code, answer.text)
            assert answer.headers["Content-Type"] == "application/problem+json", (method, url)
            asked += 1
    assert asked > 100
