"""One server for the plain rows of the table, each module with accounts of its own on it; others start their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airtally.kit.clock import MovableClock
from airtally.settings import Settings
from fixtures.accounts import NOW_US
from fixtures.push import Push
from fixtures.server import LiveServer


@pytest.fixture(scope="session")
def push_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    home = tmp_path_factory.mktemp("pushwoosh") / "home"
    server = LiveServer(Settings(home=home, rate_limits=False), MovableClock(NOW_US)).start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def push(push_server: LiveServer) -> Iterator[Push]:
    """The account of the table; nothing is added to it but what a test reads itself."""
    made = Push(push_server)
    made.fill()
    yield made
    made.close()


@pytest.fixture
def other(push_server: LiveServer) -> Iterator[Push]:
    """Another account, with its own applications."""
    made = Push(push_server)
    yield made
    made.close()


@pytest.fixture
def own_push(start_server: Callable[..., LiveServer], clock: MovableClock) -> Iterator[Callable[..., Push]]:
    """`own_push(**settings)`: a server of the test's own, whose clock is the fixture `clock`."""
    made: list[Push] = []

    def start(**changes: Any) -> Push:
        each = Push(start_server(clock=clock, **changes))
        made.append(each)
        return each

    yield start
    for each in made:
        each.close()
