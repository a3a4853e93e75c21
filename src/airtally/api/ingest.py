"""`POST /api/v1/streams/{stream}/events`: a bare ASGI handler, as this route must be fast."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeVar

from airtally.accounts.accounts import Account, Accounts
from airtally.accounts.keys import Keys
from airtally.accounts.permissions import Permission
from airtally.api import problems
from airtally.api.authorize import ACCOUNT_HEADER, account_of, allowed, bearer_token
from airtally.ingest.coalesce import Coalescer
from airtally.ingest.service import Batch, Ingest, refused
from airtally.kit.errors import Failure, Internal, MethodNotAllowed, NotFound
from airtally.kit.fair import CALLER
from airtally.kit.fair_executor import FairExecutor, in_thread
from airtally.kit.logs import log_failure
from airtally.streams import STREAMS

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
T = TypeVar("T")
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PREFIX = "/api/v1/streams/"
SUFFIX = "/events"


class IngestHandler:
    """Reads a batch, has a worker thread store it, and answers when its rows are on disk.

    Most of the threads only wait: for a slot (`Ingest.begin`), for the metadata store, for an earlier batch.
    """

    def __init__(self, ingest: Ingest, keys: Keys, accounts: Accounts, *, threads: int = 32) -> None:
        self._ingest = ingest
        self._accounts = accounts
        self._small = Coalescer(ingest)
        self._keys = keys
        self._workers = FairExecutor(threads, each=2, name="airtally-decode")

    def close(self) -> None:
        self._workers.shutdown(wait=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        stream = scope["path"][len(PREFIX) : -len(SUFFIX)]
        try:
            answer = await self._accept(stream, scope, receive)
        except Exception as error:  # noqa: BLE001 (every error gets an answer)
            failure = _failure(error, stream)
            refused(stream if stream in STREAMS else "unknown", failure)
            await _send(send, failure.status, problems.body(failure), problems.MEDIA_TYPE, **problems.headers(failure))
        else:
            await _send(send, 200, answer, "application/json")

    async def _accept(self, stream: str, scope: Scope, receive: Receive) -> bytes:
        if scope["method"] != "POST":
            raise MethodNotAllowed("Rows are sent by POST", allow="POST")
        headers = dict(scope["headers"])
        account = await self._account(headers)
        scope.setdefault("state", {})["account"] = account.slug
        CALLER.set(account.slug)
        if stream not in STREAMS:
            raise NotFound(f"There is no stream {stream[:64]!r}", hint="The streams are: " + ", ".join(STREAMS))
        body = await _read_body(receive)
        return await self._store(_batch(stream, account, headers, body))

    async def _account(self, headers: dict[bytes, bytes]) -> Account:
        token = bearer_token(headers.get(b"authorization", b"").decode("latin-1"))
        principal = self._keys.cached("native", token)
        if principal is None:
            principal = await in_thread(self._keys.authenticate, "native", token)
        named = headers.get(ACCOUNT_HEADER.encode(), b"").decode("latin-1")
        principal = allowed(principal, Permission.WRITE)
        if not named or named == principal.account.slug:
            return principal.account
        return await in_thread(account_of, principal, named, self._accounts)

    async def _store(self, batch: Batch) -> bytes:
        if self._small.takes(batch):
            return await self._small.accept(batch)
        accepted = await self._in_worker(self._ingest.begin, batch)
        if accepted.on_disk is not None:
            try:
                await asyncio.wrap_future(accepted.on_disk)
            except Failure:
                await self._in_worker(self._ingest.abandon, accepted)
                raise
        if accepted.claim is not None:
            return await self._in_worker(self._ingest.complete, accepted)
        return accepted.answer

    async def _in_worker(self, function: Callable[..., T], *args: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._workers, function, *args)


async def _read_body(receive: Receive) -> bytes:
    """The whole body, whose size `web/bodies.py` limits."""
    chunks, more = [], True
    while more:
        message = await receive()
        chunks.append(message.get("body", b""))
        more = message.get("more_body", False)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _failure(error: Exception, stream: str) -> Failure:
    failure = error if isinstance(error, Failure) else Internal("Internal error: the server's log has the details")
    if failure is not error:
        failure.__cause__ = error
    if failure.status >= 500:
        log_failure(failure, f"{PREFIX}{stream[:64]}{SUFFIX}")
    return failure


def _batch(stream: str, account: Account, headers: dict[bytes, bytes], body: bytes) -> Batch:
    key = headers.get(b"idempotency-key")
    return Batch(
        stream=STREAMS[stream],
        account=account,
        body=body,
        media_type=headers.get(b"content-type", b"").decode("latin-1"),
        content_encoding=headers.get(b"content-encoding", b"").decode("latin-1"),
        idempotency_key=None if key is None else _header_text(key),
    )


def _header_text(header: bytes) -> str:
    """A header as text: UTF-8, as clients send it, else Latin-1, which HTTP once prescribed."""
    try:
        return header.decode()
    except UnicodeDecodeError:
        return header.decode("latin-1")


async def _send(send: Send, status: int, body: bytes, media_type: str, **headers: str) -> None:
    pairs = [(b"content-type", media_type.encode()), (b"content-length", str(len(body)).encode())]
    pairs += [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})
