"""One server for what needs nothing of its own, each test with a partner of its own on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from airtally.kit.clock import MovableClock
from airtally.settings import Settings
from fixtures.server import LiveServer
from fixtures.slate import NOW_US, Partner


@pytest.fixture(scope="session")
def slate_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """Its clock stands still."""
    settings = Settings(home=tmp_path_factory.mktemp("slate") / "home", rate_limits=False)
    server = LiveServer(settings, MovableClock(NOW_US)).start()
    yield server
    server.stop()


@pytest.fixture
def partner(slate_server: LiveServer) -> Iterator[Partner]:
    made = Partner(slate_server)
    yield made
    made.http.close()


@pytest.fixture
def slate_clock() -> MovableClock:
    return MovableClock(NOW_US)


@pytest.fixture
def own_partner(start_server: Callable[..., LiveServer], slate_clock: MovableClock) -> Iterator[Callable[..., Partner]]:
    """`own_partner(static=…, **settings)`: on a server of the test's own, whose clock is `slate_clock`."""
    with ExitStack() as closing:

        def start(static: bool = False, **changes: Any) -> Partner:
            made = Partner(start_server(clock=slate_clock, **changes), static=static)
            closing.callback(made.http.close)
            return made

        yield start
