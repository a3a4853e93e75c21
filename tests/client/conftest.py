"""The client against a real server, in both its forms."""

from __future__ import annotations

import secrets
from contextlib import ExitStack

import pytest

from airtally.kit.clock import MovableClock
from airtally.settings import Settings
from fixtures.accounts import NOW_US
from fixtures.native import Native
from fixtures.sent import Caller
from fixtures.server import LiveServer


@pytest.fixture(scope="session")
def client_server(tmp_path_factory):
    settings = Settings(home=tmp_path_factory.mktemp("client") / "home", rate_limits=False)
    server = LiveServer(settings, MovableClock(NOW_US)).start()
    yield server
    server.stop()


@pytest.fixture
def join():
    """`join(server, scopes=…)`: a new account on a server, and its key."""
    with ExitStack() as closing:

        def joined(server, **options):
            made = Native(server, f"c{secrets.token_hex(4)}", **options)
            closing.callback(made.http.close)
            return made

        yield joined


@pytest.fixture
def native(client_server, join):
    return join(client_server)


@pytest.fixture(params=["threads", "asyncio"])
def form(request):
    return request.param


@pytest.fixture
def caller(form, client_server, native):
    return Caller(form, client_server.url, native.token)
