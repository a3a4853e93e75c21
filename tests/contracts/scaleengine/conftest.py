"""Samples of known figures on one server; a test that needs another setting starts its own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import httpx
import pytest

from airtally.background import maintenance_of, rebuilder_of
from airtally.kit.clock import MovableClock
from airtally.rollups.rebuild import EAGER
from airtally.settings import Settings
from airtally.streams import VIEWER_SAMPLES
from fixtures.native import Native
from fixtures.server import LiveServer
from fixtures.viewers import (
    API_KEY,
    CDN,
    NOW_US,
    PILOT,
    SECRET,
    Client,
    accepted,
    import_key,
    sample,
)

DENIED_KEY = "DENIEDKEYDENIEDKEYDENIEDKEYDENIE"

#: In order of time: a sample is taken while it is not older than its stream keeps rows.
SAMPLES = (
    ("2026-09-22T05:00", sample("acme-origin", "old", "2026-09-22T05:00", e1=8)),
    (
        "2026-11-02T12:07",
        sample("acme-origin", "news", "2026-11-02T12:05", e1=3)
        + sample("acme-origin", "news", "2026-11-02T12:06", e1=7),
    ),
    (
        "2026-11-22T09:30",
        sample("acme-origin", "café_1", "2026-11-21T22:10", e1=12)
        + sample("acme-vod", PILOT, "2026-11-22T08:11", e1=10, e2=30, e3=20)
        + sample("acme-origin", "mystream_720p", "2026-11-22T09:00", e1=4, e2=5)
        + sample("acme-origin", "mystream_720p", "2026-11-22T09:01", e1=6)
        + sample("acme-origin", "mystream_360p", "2026-11-22T09:00", e1=2),
    ),
)


def expired(server: LiveServer) -> None:
    """Rollups made, and the rows older than they are kept gone: what is shown of them is what was made of them."""
    rebuilder = rebuilder_of(server.services)
    table = server.services.storage.lake.table(VIEWER_SAMPLES)
    for rollup in VIEWER_SAMPLES.rollups:
        rebuilder.rebuild(table, rollup, EAGER)
    maintenance_of(server.services, rebuilder).expire(table)


def fill(server: LiveServer, clock: MovableClock) -> None:
    """Both accounts with their keys, apps and samples; the clock ends at 2026-11-22 09:30:00 UTC."""
    acme, rival = Native(server, "acme"), Native(server, "rival")
    import_key(server, acme, CDN, API_KEY, SECRET)
    import_key(server, acme, CDN, DENIED_KEY, SECRET, denied=("viewer.log",))
    import_key(server, rival, 5000, "RIVALKEYRIVALKEYRIVALKEYRIVALKEY", SECRET)
    for moment, rows in SAMPLES:
        clock.advance(datetime.fromisoformat(f"{moment}:00+00:00").timestamp() - clock.now_us() / 1_000_000)
        accepted(acme, "viewer_samples", rows)
        server.services.storage.event_store.flush()
        expired(server)
    accepted(acme, "viewer_apps", [{"app": "acme-vod", "app_id": 76}, {"app": "acme-origin", "app_id": 77}])
    accepted(rival, "viewer_apps", [{"app": "other-origin", "app_id": 90}])
    accepted(rival, "viewer_samples", sample("other-origin", "theirs", "2026-11-22T09:00", e1=1))
    assert clock.now_us() == NOW_US
    days = {file.data.day for file in server.services.storage.lake.table(VIEWER_SAMPLES).newest().files}
    assert not days & {"2026-09-22", "2026-11-02"}
    acme.http.close()
    rival.http.close()


@pytest.fixture(scope="session")
def clock() -> MovableClock:
    return MovableClock(1_790_000_000_000_000)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, clock: MovableClock) -> Iterator[LiveServer]:
    settings = Settings(home=tmp_path_factory.mktemp("scaleengine") / "home", rate_limits=False)
    server = LiveServer(settings, clock).start()
    for each in server.services.background:
        if each.name in {"maintenance", "rollups"}:  # tests move the clock by months and back: what it would let go
            each.stop()  # of the rows stays let go
    fill(server, clock)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def client(server: LiveServer) -> Iterator[Client]:
    with httpx.Client(base_url=server.url, timeout=120) as http:
        yield Client(server, http)


@pytest.fixture
def at(clock: MovableClock) -> Iterator[MovableClock]:
    """The clock, set back after the test."""
    before = clock.now_us()
    yield clock
    clock.advance((before - clock.now_us()) / 1_000_000)
