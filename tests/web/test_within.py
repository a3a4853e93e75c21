"""Calls of the server from within: what they send, how much of an answer they keep, and how long they wait."""

from __future__ import annotations

import asyncio
import threading

import pytest
from litestar import Request

from airtally.kit.errors import TimedOut
from airtally.web.within import WithinServer, server_of


@pytest.fixture
def loop():
    made = asyncio.new_event_loop()
    thread = threading.Thread(target=made.run_forever, daemon=True)
    thread.start()
    yield made
    made.call_soon_threadsafe(made.stop)
    thread.join(10)
    made.close()


OUTER = Request(
    {
        "type": "http",
        "method": "POST",
        "path": "/outer",
        "scheme": "https",
        "headers": [(b"host", b"push.example.com:8443"), (b"authorization", b"Bearer outer")],
        "client": ("192.0.2.7", 4711),
        "query_string": b"",
        "state": {"account": "outer"},
    }
)


def called(application, loop, target="/a%20b?c=%2F", **limits):
    within = WithinServer(application, loop)
    given = {"most_bytes": 10, "seconds": 10.0} | limits
    return within.call(OUTER, "PUT", target, {"X-Of-Call": "1"}, b"sent", **given)


def test_a_call_is_its_own_and_its_answer_is_cut(loop):
    seen = []

    async def application(scope, receive, send):
        seen.extend([scope, await receive()])
        await send({"type": "http.response.start", "status": 201, "headers": [(b"x-a", b"1"), (b"x-a", b"2")]})
        for _ in range(3):
            await send({"type": "http.response.body", "body": b"123456", "more_body": True})
        await send({"type": "http.response.body"})

    answer = called(application, loop)
    assert (answer.status, answer.headers, answer.body, answer.size) == (
        *(201, [("x-a", "1"), ("x-a", "2")]),
        *(b"1234561234", 18),
    )
    scope, message = seen
    assert (scope["method"], scope["path"], scope["query_string"]) == ("PUT", "/a b", b"c=%2F")
    assert (scope["scheme"], scope["client"], scope["state"]) == ("https", ("192.0.2.7", 4711), {})
    assert dict(scope["headers"]) == {b"host": b"push.example.com:8443", b"content-length": b"4", b"x-of-call": b"1"}
    assert message == {"type": "http.request", "body": b"sent", "more_body": False}
    assert server_of(OUTER) is None


def test_what_takes_too_long_is_ended(loop):
    ended = threading.Event()

    async def application(_scope, receive, _send):
        try:
            await receive()
            await receive()  # the client stays
        finally:
            ended.set()

    with pytest.raises(TimedOut, match="took more than"):
        called(application, loop, seconds=0.05)
    assert ended.wait(10)


def test_what_goes_wrong_inside_comes_out(loop):
    async def application(_scope, _receive, _send):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        called(application, loop)
