"""Watches a request's connection for the client's leaving, where a handler has work that can be stopped."""

from __future__ import annotations

import asyncio

from airtally.kit.departure import Departure
from airtally.kit.errors import Failure
from airtally.web.bodies import Receive


class WatchedConnection:
    """Of one request, on its event loop. Nothing is watched until `departure` has something to stop."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        self.departure = Departure(lambda: self._loop.call_soon_threadsafe(self._begin))

    def close(self) -> None:
        """To be called when the request is done."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()

    def _begin(self) -> None:
        if self._task is None and not self._closed:
            self._task = self._loop.create_task(self._watch())

    async def _watch(self) -> None:
        try:
            while (await self._receive())["type"] != "http.disconnect":
                pass
        except Failure:  # of a body: the connection was closed before its end
            pass
        if not self._closed:
            self.departure.left()
