"""The client against a real server, in both its forms."""

from __future__ import annotations

import pytest

from fixtures.client_server import client_server, join, native
from fixtures.killable import killable
from fixtures.sent import Caller

__all__ = ["client_server", "join", "killable", "native"]


@pytest.fixture(params=["threads", "asyncio"])
def form(request):
    return request.param


@pytest.fixture
def caller(form, client_server, native):
    return Caller(form, client_server.url, native.token)
