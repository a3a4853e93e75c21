"""What a connection may do before, within and after a request, whoever it is and whatever is asked."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airtally.web.limits import Limits
from fixtures.served import Served, read_all

QUICK = Limits(head_seconds=0.4, idle_seconds=0.4, stalled_seconds=0.4, drain_seconds=0.6)
OK = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
Serve = Callable[..., Served]


async def app(scope: Any, receive: Any, send: Any) -> None:
    """`/` answers, `/refuse` answers without a look at the body, `/read` counts it, `/large` answers with 8 MB."""
    if scope["path"] == "/read":
        size, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            size, more = size + len(message["body"]), message["more_body"]
        body = str(size).encode()
    else:
        body = b"x" * 8_000_000 if scope["path"] == "/large" else b"ok"
    status = 401 if scope["path"] == "/refuse" else 200
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer else 0


def ends_while(client: socket.socket, sent: bytes) -> bool:
    """Whether the server ends the connection of a client that goes on sending, within a minute."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            client.sendall(sent)
        except OSError:
            return True
        time.sleep(0.02)
    return False


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


HEADS = {
    "a request line": b"GET /" + b"a" * 90_000,
    "one header's name": b"GET / HTTP/1.1\r\nHost: x\r\n" + b"a" * 90_000,
    "one header's value": b"GET / HTTP/1.1\r\nHost: x\r\na: " + b"a" * 90_000,
    "long header lines": b"GET / HTTP/1.1\r\nHost: x\r\n" + b"a: bbbbbbbbbb\r\n" * 9_000,
    "many short header lines": b"GET / HTTP/1.1\r\nHost: x\r\n" + b"a:\r\n" * 300 + b"\r\n",
    "a finished head": b"GET / HTTP/1.1\r\nHost: x\r\na: " + b"a" * 70_000 + b"\r\n\r\n",
    "a trailer's lines": b"POST /read HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
    + b"a: b\r\n" * 300,
    "a chunk's extension": b"POST /read HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;" + b"a" * 900_000,
}


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS.keys())
def test_a_head_has_a_size(serve: Serve, head: bytes) -> None:
    answer = serve(app, QUICK).ask(head)

    assert status_of(answer) in {431, 0}, answer[:200]  # nothing where an answer is under way already
    assert head.startswith(b"POST") or status_of(answer) == 431


def test_a_head_without_end_is_refused_within_64_kib_though_its_client_goes_on_sending(serve: Serve) -> None:
    served = serve(app, replace(QUICK, drain_seconds=5))
    client = served.connect()
    client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
    for _ in range(2_000):  # 16 MB
        client.sendall(b"x-a: b\r\n" * 1_000)

    assert status_of(client.recv(1000)) == 431


@pytest.mark.parametrize(
    "head", [b"GARBAGE\r\n\r\n", b"GET / HTTP/9\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"]
)
def test_what_is_no_http_is_refused(serve: Serve, head: bytes) -> None:
    assert status_of(serve(app, QUICK).ask(head)) == 400


def test_an_answer_after_the_end_of_its_connection_is_no_error(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """Of two requests that were sent at once only the second is told that what came after them ended the connection."""
    answered = threading.Event()

    async def late(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0.1)
        try:
            await app(scope, receive, send)
        finally:
            answered.set()

    served = serve(late, QUICK)
    served.ask(OK * 2 + b"GARBAGE\r\n\r\n")

    assert answered.wait(10)
    assert status_of(served.ask(LAST)) == 200
    assert [each.getMessage() for each in caplog.records if each.exc_info] == []


@pytest.mark.parametrize("begun", [b"", b"GET /healthz HT", b"GET / HTTP/1.1\r\nHost: x\r\n", OK, OK + b"GET "])
@pytest.mark.parametrize("with_tls", [False, True], ids=["plain", "tls"])
def test_a_connection_that_says_no_more_ends(serve: Serve, begun: bytes, with_tls: bool) -> None:
    client = serve(app, QUICK, with_tls=with_tls).connect()
    client.sendall(begun)
    started = time.monotonic()
    answer = read_all(client)

    assert time.monotonic() - started < 3
    assert answer.startswith(b"HTTP/1.1 200") == begun.startswith(OK)
    assert (b"408" in answer) == (begun not in {b"", OK})


def test_a_head_that_drips_ends_too(serve: Serve) -> None:
    client = serve(app, QUICK).connect()

    assert ends_while(client, b"G")


def test_a_connection_that_does_not_begin_with_tls_ends(serve: Serve) -> None:
    client = serve(app, QUICK, with_tls=True).connect(silent=True)
    started = time.monotonic()

    assert read_all(client) == b""
    assert time.monotonic() - started < 3


@pytest.mark.parametrize("with_tls", [False, True], ids=["plain", "tls"])
def test_silent_connections_take_neither_the_files_nor_anybodys_turn(serve: Serve, with_tls: bool) -> None:
    served = serve(app, Limits(connections=20, each=10), with_tls=with_tls)
    files = open_files()
    silent = [served.connect(silent=True) for _ in range(200)]
    started = time.monotonic()

    assert status_of(served.ask(LAST)) == 200
    assert time.monotonic() - started < 2
    of_clients = len(silent) + 2
    assert open_files() - files - of_clients <= 20


def test_a_connection_with_a_request_under_work_gives_way_to_none(serve: Serve) -> None:
    served = serve(app, Limits(connections=4, each=4))
    busy = served.connect()
    busy.sendall(b"POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab")
    time.sleep(0.1)
    for _ in range(20):
        served.connect(silent=True)
    busy.sendall(b"cd")

    assert busy.recv(1000).endswith(b"4")


@pytest.mark.parametrize("with_tls", [False, True], ids=["plain", "tls"])
def test_a_refusal_reaches_a_client_that_is_still_sending(serve: Serve, with_tls: bool) -> None:
    client = serve(app, Limits(), with_tls=with_tls).connect()
    client.sendall(b"POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 20000000\r\n\r\n")
    for _ in range(20):
        client.sendall(b"a" * 1_000_000)

    assert status_of(client.recv(1000)) == 401


def test_the_connection_goes_on_once_the_rest_of_a_refused_body_is_heard_out(serve: Serve) -> None:
    client = serve(app, Limits()).connect()
    client.sendall(b"POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabcde")
    assert status_of(client.recv(1000)) == 401
    client.sendall(b"fghij" + LAST)

    assert status_of(read_all(client)) == 200


@pytest.mark.parametrize("limits", [replace(QUICK, drain_seconds=0.3), replace(QUICK, drain=100_000, drain_seconds=9)])
def test_a_refused_body_is_heard_out_within_bounds(serve: Serve, limits: Limits) -> None:
    client = serve(app, limits).connect()
    client.sendall(b"POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 900000000\r\n\r\n")

    assert ends_while(client, b"a" * 10_000)


def test_a_client_that_waits_to_be_told_to_send_is_not_told_when_it_is_refused(serve: Serve) -> None:
    answer = serve(app, Limits()).ask(
        b"POST /refuse HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 20000000\r\n\r\n"
    )

    assert status_of(answer) == 401
    assert b"100 Continue" not in answer


def test_an_answer_that_nobody_reads_ends(serve: Serve) -> None:
    served = serve(app, QUICK)
    client = served.connect()
    client.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
    time.sleep(1.2)

    assert not served.server.server_state.connections
    assert len(read_all(client)) < 8_000_000


def test_requests_sent_before_their_answers_are_bounded(serve: Serve) -> None:
    served = serve(app, Limits())
    slow = b"POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n"
    few, many = served.connect(), served.connect()
    few.sendall(slow + b"a" + OK * 10 + LAST)
    assert read_all(few).count(b"200 OK") == 12
    many.sendall(slow + b"a" + OK * 10_000)

    assert read_all(many).count(b"200 OK") < 10_000


def test_a_client_that_wants_another_protocol_is_answered_in_this_one(serve: Serve) -> None:
    upgrade = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"

    assert status_of(serve(app, QUICK).ask(upgrade)) == 200
