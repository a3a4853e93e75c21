"""Receivers that mean harm: each try has an end and a bounded record, and none reaches a private address."""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airtally.accounts.accounts import Account
from airtally.webhooks.deliveries import DeliveryDetails, MessageDeliveries
from airtally.webhooks.endpoints import Endpoints, EndpointSecret
from fixtures.receiver import Receiver
from fixtures.webhooks import Enqueue, StartWebhooks, until

Declare = Callable[..., EndpointSecret]
Pieces = Callable[[], Iterator[bytes]]
OK = b"HTTP/1.1 200 OK\r\n"


def slowly(piece: bytes, seconds: float = 0.05) -> Iterator[bytes]:
    while True:
        yield piece
        time.sleep(seconds)


@pytest.fixture
def raw_receiver() -> Iterator[Callable[[Pieces], str]]:
    """A server that answers each connection with the pieces, for as long as the other side listens."""
    sockets: list[socket.socket] = []

    def answer(connection: socket.socket, pieces: Pieces) -> None:
        with connection:
            try:
                connection.recv(65536)
                for piece in pieces():
                    connection.sendall(piece)
            except OSError:
                return

    def serve(pieces: Pieces) -> str:
        server = socket.create_server(("127.0.0.1", 0))
        sockets.append(server)

        def accept() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=answer, args=(connection, pieces), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        return f"http://127.0.0.1:{server.getsockname()[1]}/"

    yield serve
    for each in sockets:
        each.close()


@pytest.fixture
def tried(
    declared: Declare,
    enqueue: Enqueue,
    start_webhooks: StartWebhooks,
    message_deliveries: MessageDeliveries,
    account: Account,
) -> Callable[..., DeliveryDetails]:
    """The delivery after one try at a URL."""

    def try_once(url: str, **more: Any) -> DeliveryDetails:
        declared(url)
        enqueue()
        start_webhooks(**more)
        until(lambda: any(each.attempts for each in message_deliveries.listed(account)))
        [delivery] = message_deliveries.listed(account)
        return message_deliveries.get(account, delivery.id)

    return try_once


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param(lambda: itertools.chain([OK, b"\r\n"], slowly(b"x")), id="a body that drips for ever"),
        pytest.param(lambda: itertools.chain([OK, b"\r\n"], itertools.repeat(b"x" * 65536)), id="a body without end"),
        pytest.param(
            lambda: itertools.chain([OK, b"Transfer-Encoding: chunked\r\n\r\n"], slowly(b"1\r\nx\r\n")),
            id="chunks for ever",
        ),
        pytest.param(lambda: iter([OK, b"Content-Length: 1000000\r\n\r\n", b"x"]), id="a body that breaks off"),
        pytest.param(lambda: iter([OK, b"Transfer-Encoding: chunked\r\n\r\nzzz\r\n"]), id="chunks that are none"),
        pytest.param(
            lambda: iter([OK, b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x00\xff"]), id="packed"
        ),
        pytest.param(lambda: iter([OK, b"Content-Length: 3\r\n\r\n\x00\xff\xfe"]), id="no text"),
    ],
)
def test_once_the_status_is_there_the_body_changes_nothing(
    raw_receiver: Callable[[Pieces], str], tried: Callable[..., DeliveryDetails], pieces: Pieces
) -> None:
    found = tried(raw_receiver(pieces))
    assert (found.delivery.state, found.delivery.status_code) == ("delivered", 200)
    assert len(found.tries[0].body) <= 1024
    assert "\0" not in found.tries[0].body


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param(lambda: itertools.chain([OK], (b"X-%d: %s\r\n" % (n, b"y" * 999) for n in itertools.count())),
                     id="headers without end"),
        pytest.param(lambda: iter([OK, b"X-Long: " + b"y" * 2_000_000 + b"\r\n\r\n"]), id="a header of megabytes"),
        pytest.param(lambda: itertools.chain([b"HTTP/1.1 2"], slowly(b"0")), id="a status line that drips"),
        pytest.param(lambda: slowly(b"HTTP/1.1 100 Continue\r\n\r\n", 0.001), id="interim answers for ever"),
        pytest.param(lambda: iter([b"SSH-2.0-OpenSSH_9.9\r\n"]), id="another protocol"),
        pytest.param(lambda: iter([]), id="nothing, and closed"),
    ],
)  # fmt: skip
def test_without_an_answer_the_try_fails_within_its_time(
    raw_receiver: Callable[[Pieces], str], tried: Callable[..., DeliveryDetails], pieces: Pieces
) -> None:
    found = tried(raw_receiver(pieces), seconds=2.0)
    assert (found.delivery.state, found.delivery.status_code) == ("due", None)
    assert found.delivery.error
    assert len(found.delivery.error) <= 600


def test_of_many_headers_a_few_are_kept_and_cut(
    raw_receiver: Callable[[Pieces], str], tried: Callable[..., DeliveryDetails]
) -> None:
    headers = b"".join(b"X-%d: %s\r\n" % (number, b"y" * 500) for number in range(80))
    pieces = [b"HTTP/1.1 503 Busy\r\n", headers, b"Retry-After: 600\r\nContent-Length: 0\r\n\r\n"]
    found = tried(raw_receiver(lambda: iter(pieces)))
    assert found.delivery.due_at - (found.delivery.sent_at or 0) == 600_000_000, "also behind many others"
    kept = json.dumps(dict(found.tries[0].headers))
    assert 100 < len(kept) <= 2000


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_redirect_is_followed(receiver: Receiver, tried: Callable[..., DeliveryDetails], status: int) -> None:
    receiver.answers, receiver.more_headers = [status], {"Location": f"{receiver.url}/inner"}
    found = tried(receiver.url + "/outer")
    assert (found.delivery.state, found.delivery.error) == ("due", f"It answered {status}")
    assert receiver.paths == ["/outer"]


def test_a_name_that_comes_to_stand_for_a_private_address_is_not_reached(
    receiver: Receiver, tried: Callable[..., DeliveryDetails], endpoints: Endpoints, account: Account,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The name is checked at every try, and the address that was checked is the one that is connected to."""

    async def getaddrinfo(*_: Any, **__: Any) -> Any:
        return [(socket.AF_INET, 1, 6, "", ("127.0.0.1", 80))]

    monkeypatch.setattr(asyncio.base_events.BaseEventLoop, "getaddrinfo", getaddrinfo)
    found = tried(f"http://hooks.example:{receiver.url.rpartition(':')[2]}/", allowed=())
    assert found.delivery.error == "hooks.example is at 127.0.0.1, which is not a public address"
    assert receiver.bodies == []
