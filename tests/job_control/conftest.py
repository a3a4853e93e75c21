"""A server whose work can be held at the named points of `kit/faults.py`."""

from __future__ import annotations

import secrets
import threading
from contextlib import ExitStack

import pytest

from airtally.kit.clock import MovableClock
from airtally.kit.faults import Faults
from airtally.settings import Settings
from fixtures.accounts import NOW_US
from fixtures.native import Native
from fixtures.server import LiveServer


class Gates(Faults):
    """Points that are open until they are closed; who comes to a closed one waits."""

    def __init__(self):
        self._closed = {}

    def close(self, point):
        self._closed[point] = threading.Event()

    def open(self, point):
        self._closed.pop(point).set()

    def reach(self, point):
        gate = self._closed.get(point)
        if gate is not None:
            gate.wait(60)


@pytest.fixture(scope="module")
def gates():
    return Gates()


@pytest.fixture(scope="module")
def server(tmp_path_factory, gates):
    settings = Settings(home=tmp_path_factory.mktemp("jobs") / "home", rate_limits=False)
    server = LiveServer(settings, MovableClock(NOW_US), gates).start()
    yield server
    server.stop()


@pytest.fixture
def opened_client(server):
    with ExitStack() as closing:

        def client():
            made = Native(server, f"a{secrets.token_hex(4)}", scopes=("admin",))
            closing.callback(made.http.close)
            made.server = server
            return made

        yield client


@pytest.fixture
def admin(opened_client):
    return opened_client()


@pytest.fixture
def other(opened_client):
    return opened_client()
