"""A server with its own clock, as the vendors' programs sign with the machine's."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from airtally.settings import Settings
from fixtures.native import Native
from fixtures.server import LiveServer


@pytest.fixture(scope="package")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    server = LiveServer(Settings(home=tmp_path_factory.mktemp("connect") / "home", rate_limits=False)).start()
    yield server
    server.stop()


@pytest.fixture
def joined(live: LiveServer) -> Iterator[Callable[[], Native]]:
    """`joined()`: an administrator's client of a new account."""
    with ExitStack() as closing:

        def made() -> Native:
            client = Native(live, f"a{secrets.token_hex(4)}", scopes=("read", "write", "admin"))
            closing.callback(client.http.close)
            return client

        yield made
