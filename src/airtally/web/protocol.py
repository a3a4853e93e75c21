"""uvicorn's HTTP protocol with limits of size and time for each connection."""

from __future__ import annotations

import asyncio
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from airtally.kit import metrics
from airtally.web.connections import Held
from airtally.web.limits import Limits


class Connection(HttpToolsProtocol):
    """Closes a connection whose head is too large or too slow, that is idle, or whose client does not read the answer.

    If a client still sends its body when the answer is written, the rest is read and dropped, within limits: closing a
    socket with unread bytes resets the connection, and the client may lose the answer.
    """

    def __init__(self, *, limits: Limits, held: Held, **uvicorns: Any) -> None:
        super().__init__(**uvicorns)
        self._limits, self._held = limits, held
        self._unseen = 0  # bytes since the parser last called back, or since the head began
        self._fields = 0
        self._fields_size = 0
        self._in_head = True
        self._too_large = False
        self._body_seen = False
        self._dropped = 0
        self._draining = False  # the answer is written, the rest of the body is still to come
        self._refused = False  # nothing more is parsed
        self._close_after = False
        self._head_timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None
        self._drain_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._held.close = transport.abort
        self._start_head_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._head_timer, self._stall_timer, self._drain_timer):
            if timer is not None:
                timer.cancel()
        self._unset_keepalive_if_required()
        self._held.leave()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            self._drop(len(data))
            return
        self._unset_keepalive_if_required()
        self._unseen += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._close_after = True  # no other protocol is supported: answer the request, then read nothing more
        except httptools.HttpParserError:
            self._refuse(431 if self._too_large else 400)
            return
        if self._unseen > self._limits.head:
            self._refuse(431)
        elif self._in_head and self._unseen and self._head_timer is None:
            self._start_head_timer()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self._unseen = max(self._unseen, 1)
        self._fields = self._fields_size = 0
        self._body_seen = False

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._count_field(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count_field(len(name) + len(value) + 4)
        if self._in_head:  # trailers are ignored
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._unseen = 0
        self._stop_head_timer()
        if len(self.pipeline) >= self._limits.pipelined:
            self._too_large = True
            raise ValueError("too many requests before an answer")
        self._held.busy()
        super().on_headers_complete()
        self.cycle.transport = _Answering(self)  # type: ignore[assignment]

    def on_body(self, body: bytes) -> None:
        self._unseen = 0
        self._body_seen = True
        if self._draining:
            self._drop(len(body))
        else:
            super().on_body(body)

    def on_chunk_complete(self) -> None:
        self._unseen = 0

    def on_message_complete(self) -> None:
        self._unseen = 0
        self._in_head = True
        super().on_message_complete()
        if self._draining:
            self._drained()

    def on_response_complete(self) -> None:
        another, rest = bool(self.pipeline), self.cycle.more_body
        super().on_response_complete()
        if self.transport.is_closing() or another:
            return
        if not rest and not self._close_after:
            self._held.idle()
            if self._unseen:  # the next head has begun, which has its own timer
                self._unset_keepalive_if_required()
        elif not rest or (self.expect_100_continue and not self._body_seen):
            self.transport.close()  # a client that waits for "100 Continue" sends no body
        else:
            self._drain()

    def end(self) -> None:
        """Uvicorn closes the connection after this answer."""
        if self.cycle.response_complete and self.cycle.more_body:
            self._close_after = True  # once the rest of the body has come
        else:
            self.transport.close()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stall_timer = self.loop.call_later(self._limits.stalled_seconds, self._abort, "answer not read")

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None

    def _count_field(self, size: int) -> None:
        self._fields += 1
        self._fields_size += size
        if self._fields > self._limits.fields or self._fields_size > self._limits.head:
            self._too_large = True
            raise ValueError("the head is too large")

    def _start_head_timer(self) -> None:
        self._head_timer = self.loop.call_later(self._limits.head_seconds, self._head_is_late)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        self._head_timer = None
        if self._unseen and not self._refused:
            self._refuse(408)
        else:
            self._abort("idle")

    def _refuse(self, status: int) -> None:
        """Answer without the application, which has no request to handle, and close."""
        self._stop_head_timer()
        metrics.CONNECTIONS_CLOSED.labels(str(status)).inc()
        if self.cycle is not None and not self.cycle.response_complete:
            self.transport.abort()  # an answer is being sent
            return
        text = STATUS_LINE[status].split(b" ", 2)[2].strip() + b"\n"
        head = (b"content-type: text/plain\r\nconnection: close\r\ncontent-length: ", str(len(text)).encode())
        self.transport.write(b"".join((STATUS_LINE[status], *head, b"\r\n\r\n", text)))
        self._refused = self._close_after = True
        self._drain()

    def _drain(self) -> None:
        self._unset_keepalive_if_required()
        self._draining = True
        self._dropped = 0
        self._drain_timer = self.loop.call_later(self._limits.drain_seconds, self.transport.close)

    def _drop(self, size: int) -> None:
        self._dropped += size
        if self._dropped > self._limits.drain:
            self.transport.close()

    def _drained(self) -> None:
        self._draining = False
        if self._drain_timer is not None:
            self._drain_timer.cancel()
            self._drain_timer = None
        if self._close_after:
            self.transport.close()
            return
        self._held.idle()
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def _abort(self, reason: str) -> None:
        metrics.CONNECTIONS_CLOSED.labels(reason).inc()
        self.transport.abort()


class _Answering:
    """The transport given to uvicorn's cycle: its `close` does not close at once, but when the body has been read."""

    __slots__ = ("_connection", "_transport")

    def __init__(self, connection: Connection) -> None:
        self._connection, self._transport = connection, connection.transport

    def write(self, data: bytes) -> None:
        if not self._transport.is_closing():  # if the client has gone, uvloop would raise
            self._transport.write(data)

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def close(self) -> None:
        self._connection.end()
