"""One server for the tests that need nothing special of it, each test with accounts of its own on it."""

from __future__ import annotations

import secrets
from contextlib import ExitStack

import pytest

from airtally.kit.clock import MovableClock
from airtally.settings import Settings
from fixtures.accounts import NOW_US
from fixtures.native import Native
from fixtures.server import LiveServer


@pytest.fixture(scope="session")
def api_server(tmp_path_factory):
    home = tmp_path_factory.mktemp("api") / "home"
    settings = Settings(home=home, rate_limits=False, body_max=8 << 20, unpacked_max=32 << 20)
    server = LiveServer(settings, MovableClock(NOW_US)).start()
    yield server
    server.stop()


@pytest.fixture
def join():
    """`join(server, timezone=…, scopes=…)`: a client of a new account, closed at the test's end."""
    with ExitStack() as closing:

        def made(server, **options):
            client = Native(server, f"a{secrets.token_hex(4)}", **options)
            closing.callback(client.http.close)
            return client

        yield made


@pytest.fixture
def client(api_server, join):
    return join(api_server)
