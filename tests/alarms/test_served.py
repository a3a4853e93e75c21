"""Alarms of running servers: late publications as they are stored, and two servers on one database that tell once."""

from __future__ import annotations

import ipaddress
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from airtally.alarms.alarm import AlarmState, LateWork
from airtally.database.tables import messages
from airtally.kit.clock import MovableClock
from airtally.settings import Settings
from fixtures.accounts import NOW_US
from fixtures.datasets import BEFORE_NOON_US, DatasetHome
from fixtures.native import Native
from fixtures.receiver import Receiver
from fixtures.server import LiveServer

CHECK = 15
REFUSED = {"kind": "quarantine", "rows": 3, "within_seconds": 60}


@pytest.fixture
def dataset_home(tmp_path: Path) -> Iterator[DatasetHome]:
    """With slots at noon and every hour after it."""
    with ExitStack() as closing:
        home = DatasetHome(tmp_path / "home", MovableClock(BEFORE_NOON_US), closing)
        home.services.datasets.publisher.publication_store.enrol()
        yield home


def check(home: DatasetHome, times: int) -> None:
    for _ in range(times):
        home.clock.advance(CHECK)
        home.services.alarms.watch.step()


def told(home: DatasetHome) -> list[tuple[str, str]]:
    query = select(messages.c.event_type, messages.c.payload).order_by(messages.c.id)
    with home.services.store.read() as connection:
        return [(row.event_type, json.loads(row.payload)["data"]["name"]) for row in connection.execute(query)]


def test_a_late_publication_is_told_once_and_is_over_when_it_is_published(dataset_home: DatasetHome) -> None:
    home, alarms = dataset_home, dataset_home.services.alarms.alarms
    rival = home.services.access.accounts.create("Rival")
    made = alarms.create(home.account, "Files", LateWork(after_seconds=600, of="publication"))
    alarms.create(home.account, "One", LateWork(after_seconds=600, of="publication", id="data985"))
    alarms.create(home.account, "Schedules", LateWork(after_seconds=600, of="schedule"))
    alarms.create(home.account, "Later", LateWork(after_seconds=7200, of="publication"))
    alarms.create(rival, "Theirs", LateWork(after_seconds=600))
    home.clock.advance(1 + 540)
    check(home, 2)
    assert told(home) == []  # the slot of noon is late from 12:10 on
    check(home, 10)
    assert sorted(told(home)) == [("alarm.fired", "Files"), ("alarm.fired", "One")]
    found = alarms.get(home.account, made.id)
    assert found.state is AlarmState.FIRING
    assert "publication" in found.says
    assert "due at 2026-11-02 12:00 UTC" in found.says
    check(home, 4)
    assert len(told(home)) == 2
    home.publish(None)
    check(home, 4)
    assert sorted(told(home)[2:]) == [("alarm.resolved", "Files"), ("alarm.resolved", "One")]


@pytest.fixture
def pair(tmp_path: Path, postgres_url: str) -> Iterator[tuple[LiveServer, LiveServer, MovableClock]]:
    """Two machines' servers, which share lake, files and database."""
    clock = MovableClock(NOW_US)
    shared: dict[str, Any] = {
        "lake": str(tmp_path / "lake"),
        "files": str(tmp_path / "files"),
        "database": postgres_url,
        "secret_key": "one key for both machines, with many characters",
        "rate_limits": False,
        "outgoing_allow": (ipaddress.ip_network("127.0.0.0/8"),),
    }
    here, there = (LiveServer(Settings(home=tmp_path / name, **shared), clock) for name in ("here", "there"))
    here.start()
    there.start()
    yield here, there, clock
    here.stop()
    there.stop()


def test_two_servers_on_one_database_tell_once(
    pair: tuple[LiveServer, LiveServer, MovableClock], receiver: Receiver, opened: Callable[[Any], Any]
) -> None:
    here, there, clock = pair
    acme = opened(Native(here, "acme", scopes=("write", "admin")))
    assert acme.http.post("/api/v1/webhooks", json={"url": receiver.url}).status_code == 201
    made = acme.http.post("/api/v1/alarms", json={"name": "Refused", "condition": REFUSED}).json()
    alarm = f"/api/v1/alarms/{made['id']}"
    for number in range(1, 4):
        refused = acme.http.post(f"{there.url}/api/v1/streams/playlogs/events", json=[{"wrong": 1}] * 3)
        assert refused.json()["rejected"] == 3
        check_until(pair, lambda count=2 * number - 1: len(receiver.bodies) >= count)
        clock.advance(60)
        check_until(pair, lambda count=2 * number: len(receiver.bodies) >= count)
    for _ in range(3):
        before = acme.http.get(alarm).json()["checked_at"]
        check_until(pair, lambda before=before: acme.http.get(alarm).json()["checked_at"] > before)
    notices = [json.loads(body) for body in receiver.bodies]
    assert [each["type"] for each in notices] == ["alarm.fired", "alarm.resolved"] * 3
    assert {each["data"]["alarm"] for each in notices} == {made["id"]}
    assert acme.http.get(alarm).json()["changes"] == 6


def check_until(pair: tuple[LiveServer, LiveServer, MovableClock], done: Callable[[], bool]) -> None:
    """Let both servers check at the same moment, and what they tell be sent."""
    here, there, clock = pair
    deadline = time.monotonic() + 60
    clock.advance(CHECK)
    while True:
        loops = [each for server in (here, there) for each in server.services.background]
        for each in loops:
            if each.name in {"alarms", "webhooks"}:
                each.wake()
        if done():
            return
        assert time.monotonic() < deadline
        time.sleep(0.05)
