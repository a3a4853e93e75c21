"""Alarms over HTTP: checked by the running server, told once by webhook and by e-mail."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from airtally.api.times import read_moment
from airtally.kit.clock import MovableClock
from airtally.settings import Settings
from fixtures.accounts import NOW_US
from fixtures.native import Native
from fixtures.server import LiveServer
from fixtures.smtp import mailbox, smtp_url

__all__ = ["mailbox", "smtp_url"]

GROWING = {"kind": "quarantine", "rows": 2, "within_seconds": 600}


@pytest.fixture
def clock():
    return MovableClock(NOW_US)


@pytest.fixture
def server(tmp_path, clock, smtp_url):
    server = LiveServer(Settings(home=tmp_path / "home", rate_limits=False, smtp_url=smtp_url), clock).start()
    yield server
    server.stop()


@pytest.fixture
def acme(server, opened):
    return opened(Native(server, "acme", scopes=("read", "write", "admin")))


def call(native: Native, method: str, path: str = "", status: int = 200, **more: Any) -> Any:
    answer = native.http.request(method, f"/api/v1/alarms{path}", **more)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


def checked(server: LiveServer, clock: MovableClock) -> None:
    """One more check, at once."""
    clock.advance(15)
    server.services.alarms.watch.step()


def test_a_growing_quarantine_is_told_once_and_once_when_over(server, acme, clock, mailbox):
    made = call(
        acme,
        "POST",
        status=201,
        json={"name": "Refused", "condition": GROWING, "recipients": {"addresses": ["ana@example.com"]}},
    )
    assert (made["state"], made["says"], made["condition"]) == ("ok", "", GROWING | {"stream": None})
    for number in range(3):
        acme.send("playlogs", json.dumps({"player_id": f"wrong {number}"}).encode())
    for _ in range(3):
        checked(server, clock)
    shown = call(acme, "GET", f"/{made['id']}")
    assert (shown["state"], shown["changes"]) == ("firing", 1)
    assert "3 rows were refused" in shown["says"]
    assert call(acme, "GET", params={"state": "firing"})["items"][0]["id"] == made["id"]
    clock.advance(601)
    for _ in range(3):
        checked(server, clock)
    assert call(acme, "GET", f"/{made['id']}")["changes"] == 2
    deadline = time.monotonic() + 60
    while len(mailbox.messages) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert sorted(str(each["Subject"]) for each in mailbox.messages) == [
        "Over: Refused (Account acme)",
        "Refused (Account acme)",
    ]
    told = acme.http.get("/api/v1/deliveries").json()["items"]
    assert [each["event_type"] for each in told] == ["alarm.resolved", "alarm.fired"]


def test_late_schedules_and_no_others_are_told(server, acme, opened, clock):
    """A slot that nothing has planned is late by its schedule's own minutes, in its own account alone."""
    other = opened(Native(server, "other", scopes=("read", "write", "admin")))
    late = {"name": "Late", "condition": {"kind": "late", "of": "schedule", "after_seconds": 60}}
    ours, theirs = (call(each, "POST", status=201, json=late) for each in (acme, other))
    for each in server.services.background:
        each.stop()
    rows = {"rows": {"stream": "playlogs"}}
    asked = {"name": "Plays", "cron": "0 6 * * *", "export": rows, "late_minutes": 30}
    schedule = acme.http.post("/api/v1/schedules", json=asked).json()
    clock.advance((_us("2026-11-03T06:29:00Z") - clock.now_us()) / 1e6)
    for _ in range(2):
        checked(server, clock)
    assert call(acme, "GET", f"/{ours['id']}")["state"] == "ok"
    clock.advance((_us("2026-11-03T06:31:00Z") - clock.now_us()) / 1e6)
    for _ in range(8):
        checked(server, clock)
    shown = call(acme, "GET", f"/{ours['id']}")
    assert (shown["state"], shown["changes"]) == ("firing", 1)
    assert f"schedule Plays ({schedule['id']}), due at 2026-11-03 06:00 UTC" in shown["says"]
    assert call(other, "GET", f"/{theirs['id']}")["state"] == "ok"


def test_a_silent_stream_through_the_server(server, acme, clock):
    silent = {"kind": "silent_stream", "stream": "playlogs", "after_seconds": 300}
    made = call(acme, "POST", status=201, json={"name": "Silent", "condition": silent})
    for each in server.services.background:
        each.stop()
    for _ in range(25):
        server.services.storage.writers.step()
        checked(server, clock)
    shown = call(acme, "GET", f"/{made['id']}")
    assert (shown["state"], shown["says"]) == ("firing", "No row of playlogs was received yet")
    acme.send("playlogs", [{"played_at": "2026-11-02T08:00:00", "player_id": 1, "media_id": 7}])
    checked(server, clock)
    assert call(acme, "GET", f"/{made['id']}")["changes"] == 2


def test_alarms_are_changed_and_deleted_and_wrong_ones_refused(acme):
    made = call(acme, "POST", status=201, json={"name": "Refused", "condition": GROWING})
    path = f"/{made['id']}"
    assert call(acme, "PATCH", path, json={"name": "Many refused"})["name"] == "Many refused"
    changed = call(acme, "PATCH", path, json={"condition": GROWING | {"rows": 5}})
    assert (changed["condition"]["rows"], changed["name"]) == (5, "Many refused")
    call(
        acme, "PATCH", path, 422, json={"condition": {"kind": "silent_stream", "stream": "none", "after_seconds": 300}}
    )
    call(acme, "POST", status=422, json={"name": "x", "condition": GROWING, "recipients": {"endpoints": [99]}})
    call(acme, "POST", status=422, json={"name": "x", "condition": {"kind": "unknown"}})
    call(acme, "DELETE", path, 204)
    call(acme, "GET", path, 404)


def _us(text: str) -> int:
    return read_moment(text, "at")
