"""The outgoing side of a request: headers added to every answer, and its status and size for the log."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from typing import Any

from airtally.kit.attempts import Attempt

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_NO_SNIFFING = (b"x-content-type-options", b"nosniff")
_STAY_ON_TLS = (b"strict-transport-security", b"max-age=31536000")


class Answering:
    """Passes an answer on and notes its status, its size, and its rows where it is whole and says how many.

    The answer to a wrong credential is delayed by the seconds that `slowed` returns, without holding a thread.
    `added` are headers of every answer. `pack` makes what packs answers; `size` is that of the body as it is sent.
    """

    __slots__ = ("_added", "_attempt", "_pass_on", "_send", "_slowed", "rows", "size", "status")

    def __init__(
        self,
        send: Send,
        attempt: Attempt,
        slowed: Callable[[], float],
        *,
        page: bool,
        https: bool,
        added: Sequence[tuple[bytes, bytes]] = (),
        pack: Callable[[Send], Send] = lambda send: send,
    ) -> None:
        self._pass_on = pack(self._sized)
        self._send, self._attempt, self._slowed = send, attempt, slowed
        self._added = [_NO_SNIFFING, _STAY_ON_TLS, *added] if page and https else [_NO_SNIFFING, *added]
        self.status = 0
        self.size = 0
        self.rows = 0

    async def __call__(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.rows = _rows_of(message.get("headers", ())) if self.status == 200 else 0
            message = {**message, "headers": [*message.get("headers", ()), *self._added]}
            if self._attempt.failed:
                await asyncio.sleep(self._slowed())
        await self._pass_on(message)

    async def _sized(self, message: MutableMapping[str, Any]) -> None:
        self.size += len(message.get("body", b""))
        await self._send(message)


def _rows_of(headers: Iterable[tuple[bytes, bytes]]) -> int:
    found = next((value for name, value in headers if name.lower() == b"airtally-rows"), b"0")
    return int(found) if found.isdigit() else 0
