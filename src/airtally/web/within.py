"""Calls of this very server from within: through its outermost layer, as if they had come by a connection."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import TimeoutError as TookTooLong
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import unquote

from airtally.kit.errors import TimedOut
from airtally.web.requests import AnyRequest

#: Where a request's state has the server that answers it.
_STATE = "within"


class ServerApplication(Protocol):
    """The outermost ASGI layer."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...


@dataclass(slots=True)
class AnswerFromWithin:
    """`body` has the first bytes, at most as many as were wanted, of `size` in all."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    size: int


@dataclass(frozen=True, slots=True)
class WithinServer:
    """A server and the event loop that it runs on."""

    application: ServerApplication
    loop: asyncio.AbstractEventLoop

    def call(
        self,
        request: AnyRequest,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        most_bytes: int,
        seconds: float,
    ) -> AnswerFromWithin:
        """Call a path with its query, for the client of `request` and by the name that it used. Blocks a worker thread.

        Raises TimedOut.
        """
        scope = _scope(request, method, target, headers, body)
        answering = asyncio.run_coroutine_threadsafe(_answered(self.application, scope, body, most_bytes), self.loop)
        try:
            return answering.result(seconds)
        except TookTooLong:
            answering.cancel()
            raise TimedOut(f"The call took more than {seconds:.0f} seconds") from None


def note_server(scope: Any, application: ServerApplication) -> None:
    """Let the handler of the request call the server that answers it."""
    scope.setdefault("state", {})[_STATE] = WithinServer(application, asyncio.get_running_loop())


def server_of(request: AnyRequest) -> WithinServer | None:
    """The server that answers the request; None for a command's own process."""
    found: WithinServer | None = request.scope.get("state", {}).get(_STATE)
    return found


async def _answered(application: ServerApplication, scope: Any, body: bytes, most_bytes: int) -> AnswerFromWithin:
    found = AnswerFromWithin(0, [], b"", 0)
    given = False

    async def receive() -> dict[str, Any]:
        nonlocal given
        if given:
            await asyncio.Event().wait()  # the client stays until it has its answer
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            found.status = message["status"]
            found.headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in message["headers"]]
            return
        piece = bytes(message.get("body", b""))
        found.body += piece[: most_bytes - len(found.body)]
        found.size += len(piece)

    await application(scope, receive, send)
    return found


def _scope(request: AnyRequest, method: str, target: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    path, _, query = target.partition("?")
    outer = request.scope
    sent = {"Host": request.headers.get("host", "localhost"), "Content-Length": str(len(body))} | dict(headers)
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": outer["scheme"],
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in sent.items()],
        "client": outer.get("client"),
        "server": outer.get("server"),
        "state": {},
    }
