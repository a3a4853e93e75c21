"""What only the running server knows: tokens, sessions, links, numbers. Got as a client would, before the fuzzing.

Names are those of the placeholders in cases: `a.token.tapjoy`, `a.link.report`, `a.session` and so on.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any
from urllib.parse import urlsplit

import httpx

from airtally.streams import STREAMS
from fuzz.home import GROUP, SENT, batch
from fuzz.tenants import TENANTS, Tenant

_WAIT_SECONDS = 60


def learn(client: httpx.Client, today: date) -> dict[str, bytes]:
    """Sends the rest of the rows first, then asks for one of each thing."""
    known: dict[str, bytes] = {}
    for tenant in TENANTS.values():
        _send(client, tenant, today)
        found = dict(_names(client, tenant, today))
        known |= {f"{tenant.letter}.{name}": value.encode() for name, value in found.items()}
    return known


def _send(client: httpx.Client, tenant: Tenant, today: date) -> None:
    headers = {
        "Authorization": f"Bearer {tenant.key('native', 'token')}",
        "Content-Type": "application/x-ndjson",
    }
    for name in SENT:
        body = batch(tenant, STREAMS[name], today)
        answer = client.post(f"/api/v1/streams/{name}/events", content=body, headers=headers)
        assert answer.json()["rejected"] == 0, (name, answer.text)
    for method, fields in (
        ("createEvent", {"name": f"Made{tenant.letter.upper()}", "eventAttributes": [{"type": 1, "name": "items"}]}),
        ("addTag", {"tag": {"name": f"Made{tenant.letter.upper()}", "type": 3}}),
    ):
        _push(client, tenant, method, {"application": tenant.applications[0], **fields})


def _push(client: httpx.Client, tenant: Tenant, method: str, fields: dict[str, Any]) -> Any:
    request = {"auth": tenant.key("pushwoosh", "auth"), **fields}
    answer = client.post(f"/json/1.3/{method}", json={"request": request}).json()
    assert answer["status_code"] in {200, 420}, answer
    return answer["response"]


def _names(client: httpx.Client, tenant: Tenant, today: date) -> Iterator[tuple[str, str]]:
    secret = {"Secret-Token": tenant.key("fouryousee", "secret_token")}
    dates = {"startDate": str(today.replace(day=1)), "endDate": str(today)}
    report = client.post("/v1/reports", json={"filter": dates}, headers=secret).json()["id"]
    yield "report", str(report)
    basic = {"Authorization": f"Basic {tenant.key('tapjoy', 'reporting_api_key')}"}
    yield "token.tapjoy", client.post("/v1/oauth2/token", headers=basic).json()["access_token"]
    yield "link.dataset", _dataset(client, tenant)
    counted = _push(client, tenant, "getTagStats", {"tag": tenant.tags[0]})["request_id"]
    yield "request.tags", counted
    fields = {"application": tenant.applications[0], "event": tenant.events[0], "date_from": str(today)}
    yield "request.events", _push(client, tenant, "getEventStatistics", {**fields, "date_to": str(today)})["request_id"]
    yield from _session(client, tenant)
    yield "link.tags", _path(_awaited(lambda: _push(client, tenant, "getResults", {"request_id": counted}))["fileName"])
    url = _awaited(lambda: client.get(f"/v1/reports/{report}", headers=secret).json()["url"])
    yield "link.report", _path(url)


def _dataset(client: httpx.Client, tenant: Tenant) -> str:
    business = tenant.businesses[0]
    where = f"/apis/v2/accounts/{tenant.slate_account}/{GROUP}/{business}/datasets/"
    token = {"Authorization": f"Bearer {tenant.key('slate', 'access_token')}"}
    listed = client.get(where + tenant.dataset(business, "catalog"), headers=token).json()
    return _path(listed["data"][0]["downloadUrl"])


def _session(client: httpx.Client, tenant: Tenant) -> Iterator[tuple[str, str]]:
    _awaited(lambda: _enter(client, tenant))
    yield "session", client.cookies["airtally_session"]
    client.cookies.clear()
    yield "form", _form(client)
    yield "cookie", client.cookies["airtally_form"]
    client.cookies.clear()


def _enter(client: httpx.Client, tenant: Tenant) -> bool:
    """False where tries to log in follow each other too closely."""
    client.cookies.clear()
    fields = {"csrf_token": _form(client), "username": tenant.slug, "password": tenant.password, "next": "/"}
    entered = client.post("/login", data=fields)
    assert entered.status_code in {303, 429}, entered.text
    return entered.status_code == 303


def _form(client: httpx.Client) -> str:
    """The mark that a form of log-in has to carry, beside its cookie."""
    page = client.get("/login").text
    mark = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert mark, page
    return mark[1]


def _path(url: str) -> str:
    parts = urlsplit(url)
    return parts.path + (f"?{parts.query}" if parts.query else "")


def _awaited(ask: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + _WAIT_SECONDS
    while not (found := ask()):
        assert time.monotonic() < deadline, "nothing came of a report or a statistic within a minute"
        time.sleep(0.02)
    return found
