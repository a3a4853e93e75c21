"""Limits on request bodies: their size, their speed, and the memory that all of them take."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from airtally.kit import metrics
from airtally.kit.errors import BadRequest, TimedOut, TooLarge, TooManyRequests

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]

#: The slowest body: 30 KiB in each 30 seconds, which is 1 KiB/s.
SLOW_SECONDS = 30.0
SLOW_BYTES = 30 << 10
#: How long a body waits for memory before it is refused.
PATIENCE_SECONDS = 5.0


class BodyMemory:
    """A budget of `most` bytes for bodies in memory, half of it for one address.

    Not thread-safe: for one event loop.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._each = max(1, most // 2)
        self._held: dict[str, int] = {}
        self._total = 0
        self._freed = asyncio.Event()

    async def take(self, address: str, size: int) -> None:
        """Wait up to `PATIENCE_SECONDS` for room. Raises TooManyRequests."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self._fits(address, size):
            self._freed.clear()
            try:
                await asyncio.wait_for(self._freed.wait(), deadline - time.monotonic())
            except TimeoutError:
                raise TooManyRequests(
                    "The server has no memory for more bodies at this moment (AIRTALLY_BODIES_MAX)",
                    hint="Send fewer or smaller bodies at once",
                    retry_after=5,
                ) from None
        self._held[address] = self._held.get(address, 0) + size
        self._changed(size)

    def give_back(self, address: str, size: int) -> None:
        left = self._held.get(address, 0) - size
        if left > 0:
            self._held[address] = left
        else:
            self._held.pop(address, None)
        self._changed(-size)
        self._freed.set()

    def _fits(self, address: str, size: int) -> bool:
        """A chunk larger than the whole budget fits if nothing else is held."""
        held = self._held.get(address, 0)
        return (not held or held + size <= self._each) and (not self._total or self._total + size <= self._most)

    def _changed(self, by: int) -> None:
        self._total += by
        metrics.BODY_BYTES.set(self._total)


class Body:
    """The ASGI `receive` of a request, within the limits. Close it when the request is done.

    A call raises BadRequest if the client went away, TooLarge, TimedOut or TooManyRequests. Once the answer has begun
    it drops the rest of the body instead, and returns when the client leaves.
    """

    def __init__(
        self,
        receive: Receive,
        memory: BodyMemory,
        address: str,
        *,
        limit: int,
        announced: bytes | None,
        answered: Callable[[], bool] = lambda: False,
    ) -> None:
        """`announced` is the header `Content-Length`; a body that it says is too large is not read at all."""
        self._receive, self._memory, self._address = receive, memory, address
        self._limit, self._answered = limit, answered
        self._announced = int(announced) if announced is not None and announced.isdigit() else 0
        self._size = 0
        self._ended = False
        self._marked_at, self._marked = time.monotonic(), 0

    async def __call__(self) -> Message:
        if self._ended:
            return await self._receive()  # the application waits for the client to leave
        if self._answered():
            return await self._left()
        if self._announced > self._limit:
            raise self._too_large()
        message = await self._within_time()
        if message["type"] != "http.request":
            raise BadRequest("The connection was closed before the body's end")
        size = len(message.get("body", b""))
        if self._size + size > self._limit:
            raise self._too_large()
        if size:
            await self._memory.take(self._address, size)
            self._size += size
        self._ended = not message.get("more_body", False)
        return message

    async def _left(self) -> Message:
        message = await self._receive()
        while message["type"] == "http.request":
            message = await self._receive()
        return message

    def close(self) -> None:
        if self._size:
            self._memory.give_back(self._address, self._size)
            self._size = 0

    async def _within_time(self) -> Message:
        deadline = self._marked_at + SLOW_SECONDS
        try:
            async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                message = await self._receive()
        except TimeoutError:
            raise TimedOut(f"The body comes more slowly than {SLOW_BYTES // SLOW_SECONDS:.0f} bytes a second") from None
        if self._size + len(message.get("body", b"")) - self._marked >= SLOW_BYTES:
            self._marked_at, self._marked = time.monotonic(), self._size + len(message.get("body", b""))
        return message

    def _too_large(self) -> TooLarge:
        return TooLarge(f"The body is larger than {self._limit} bytes", hint="Send smaller batches")


class NoBody:
    """The ASGI `receive` of a caller without permission: an empty body, and nothing of the real one is read."""

    def __init__(self) -> None:
        self._given = False

    async def __call__(self) -> Message:
        if self._given:
            await asyncio.Event().wait()  # the client's leaving is not reported either
        self._given = True
        return {"type": "http.request", "body": b"", "more_body": False}
