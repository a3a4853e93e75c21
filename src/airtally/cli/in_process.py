"""Calls an ASGI application of this process in HTTP's terms, without a socket: nobody else can call it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import httpx

from airtally.kit.departure import DEPARTURE, Departure

T = TypeVar("T")

#: Pieces of a body that are made before the first is read.
_PIECES_AHEAD = 4


class AsgiApplication(Protocol):
    """What Litestar is."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...


class InProcessTransport(httpx.BaseTransport):
    """For an httpx client of one thread or several; the application runs on an event loop in a thread of its own."""

    def __init__(self, application: AsgiApplication) -> None:
        self._application = application
        self._under_way: set[_Answering] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="airtally-in-process", daemon=True)
        self._thread.start()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The answer once its headers are there. Its body is made as it is read."""
        answering = self._run(self._begin(_scope_of(request), request.read()))
        status, headers = self._run(answering.begun())
        return httpx.Response(status, headers=headers, stream=_AnswerBody(self, answering))

    def close(self) -> None:
        """Stop what is under way."""
        if self._loop.is_closed():
            return
        self._run(self._leave_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def piece_of(self, answering: _Answering) -> bytes:
        """The next piece of a body, empty after the last one."""
        return self._run(answering.piece())

    def leave(self, answering: _Answering) -> None:
        """Stop making a body that nobody reads to its end."""
        self._loop.call_soon_threadsafe(self._leave, answering)

    def _run(self, steps: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(steps, self._loop).result()

    async def _begin(self, scope: dict[str, Any], body: bytes) -> _Answering:
        answering = _Answering(self._application, scope, body)
        self._under_way.add(answering)
        return answering

    def _leave(self, answering: _Answering) -> None:
        self._under_way.discard(answering)
        answering.leave()

    async def _leave_all(self) -> None:
        for answering in list(self._under_way):
            self._leave(answering)
        tasks = [each for each in asyncio.all_tasks() if each is not asyncio.current_task()]
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Answering:
    """One call on its event loop: what the application sends is kept until it is fetched."""

    def __init__(self, application: AsgiApplication, scope: dict[str, Any], body: bytes) -> None:
        self._messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue(_PIECES_AHEAD)
        self._body: bytes | None = body
        self._left = asyncio.Event()
        self._departure = Departure()
        self._more = True
        self._task = asyncio.create_task(self._answer(application, scope))

    async def begun(self) -> tuple[int, list[tuple[bytes, bytes]]]:
        message = await self._next()
        return message["status"], list(message["headers"])

    async def piece(self) -> bytes:
        while self._more:
            message = await self._next()
            self._more = message.get("more_body", False)
            if message.get("body"):
                return bytes(message["body"])
        return b""

    def leave(self) -> None:
        self._departure.left()
        self._left.set()
        self._task.cancel()

    async def _answer(self, application: AsgiApplication, scope: dict[str, Any]) -> None:
        DEPARTURE.set(self._departure)
        await application(scope, self._receive, self._messages.put)

    async def _receive(self) -> dict[str, Any]:
        if self._body is None:
            await self._left.wait()
            return {"type": "http.disconnect"}
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}

    async def _next(self) -> dict[str, Any]:
        """Raises httpx.ReadError where the application ended without sending all."""
        fetched = asyncio.ensure_future(self._messages.get())
        await asyncio.wait({fetched, self._task}, return_when=asyncio.FIRST_COMPLETED)
        if not fetched.done() and self._messages.empty():
            fetched.cancel()
            raise httpx.ReadError("the answer ended too early") from _error_of(self._task)
        return await fetched


@dataclass(frozen=True, slots=True)
class _AnswerBody(httpx.SyncByteStream):
    transport: InProcessTransport
    answering: _Answering

    def __iter__(self) -> Iterator[bytes]:
        while piece := self.transport.piece_of(self.answering):
            yield piece

    def close(self) -> None:
        self.transport.leave(self.answering)


def _error_of(task: asyncio.Task[None]) -> BaseException | None:
    return None if task.cancelled() else task.exception()


def _scope_of(request: httpx.Request) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": request.url.scheme,
        "path": request.url.path,
        "raw_path": request.url.raw_path.partition(b"?")[0],
        "query_string": request.url.query,
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "client": None,
        "server": None,
        "state": {},
    }
