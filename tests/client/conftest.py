"""The client against a real server, in both its forms."""

from __future__ import annotations

import secrets

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
def native(client_server):
    made = Native(client_server, f"c{secrets.token_hex(4)}")
    yield made
    made.http.close()


@pytest.fixture(params=["threads", "asyncio"])
def form(request):
    return request.param


@pytest.fixture
def caller(form, client_server, native):
    return Caller(form, client_server.url, native.token)
