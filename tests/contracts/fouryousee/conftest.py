"""One server for the plain rows of the table, each test with accounts of its own on it; others start their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ipaddress import ip_network
from typing import Any

import pytest

from airtally.kit.clock import MovableClock
from airtally.settings import Settings
from fixtures.receiver import receiver
from fixtures.server import LiveServer
from fixtures.signage import FIVE, Site

__all__ = ["receiver"]

#: 2026-11-02T09:15:00Z
NOW_US = 1_793_610_900_000_000
LOOPBACK = (ip_network("127.0.0.0/8"),)


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    settings = Settings(home=tmp_path_factory.mktemp("fouryousee") / "home", rate_limits=False, outgoing_allow=LOOPBACK)
    server = LiveServer(settings, MovableClock(NOW_US)).start()
    yield server
    server.stop()


@pytest.fixture
def site(shared_server: LiveServer) -> Iterator[Site]:
    made = Site(shared_server)
    yield made
    made.http.close()


@pytest.fixture
def other_site(shared_server: LiveServer) -> Iterator[Site]:
    made = Site(shared_server)
    yield made
    made.http.close()


@pytest.fixture
def plays(site: Site) -> Site:
    """The site with the five fixture playlogs."""
    site.send("playlogs", *FIVE)
    return site


@pytest.fixture
def own_site(start_server: Callable[..., LiveServer], clock: MovableClock) -> Iterator[Callable[..., Site]]:
    """`own_site(**settings)`: a server of the test's own, whose clock is the fixture `clock`."""
    made: list[Site] = []

    def start(**changes: Any) -> Site:
        site = Site(start_server(clock=clock, **{"outgoing_allow": LOOPBACK} | changes))
        made.append(site)
        return site

    yield start
    for site in made:
        site.http.close()
