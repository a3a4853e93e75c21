"""The client for asyncio: the same calls, awaited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from contextlib import aclosing, suppress
from itertools import chain, islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

import httpx

from airtally.client.asking import QueryFields, query_asked, sql_asked
from airtally.client.batches import EncodedBatch, JsonBatcher
from airtally.client.bodies import IntoFile
from airtally.client.calls import CallOptions, call, listed
from airtally.client.errors import AirtallyError, ConnectionFailed
from airtally.client.exchange import Exchange, MakeRequest
from airtally.client.exports import (
    ExportFields,
    MadeExport,
    downloaded_parts,
    export_id_of,
    fetched_file,
    finished_export,
    made_export,
)
from airtally.client.messages import ApiAnswer
from airtally.client.results import AsyncQueryRows
from airtally.client.sending import Sending, SendOptions
from airtally.client.sent import BatchAnswer, SendResult
from airtally.client.transport import HTTPX_FAILURES, ClientOptions, Connecting, answer_of, arguments_of, failure_of

T = TypeVar("T")
#: Rows encoded before other tasks have their turn: about a millisecond.
_ROWS_A_TURN = 1_000


class AsyncClient:
    """A client of one account on one server. Close it, or use it in an `async with` block, within one event loop."""

    def __init__(self, url: str, token: str, **options: Unpack[ClientOptions]) -> None:
        """As `Client`."""
        self._connecting = Connecting(url, token, **options)
        self._policy = self._connecting.retry
        self._http = httpx.AsyncClient(**self._connecting.arguments())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    async def send(self, stream: str, rows: Any, **options: Unpack[SendOptions]) -> SendResult:
        """As `Client.send`; `rows` may also be an asynchronous iterable of rows.

        Cancelling the call ends it at once; the batch under way may be kept by the server, or not.
        """
        sending = Sending(stream, self._policy, **options)
        waiting: tuple[EncodedBatch, asyncio.Task[BatchAnswer]] | None = None
        try:
            async with aclosing(_batches_and_none(sending, rows)) as batches:
                async for batch in batches:
                    if waiting is not None:
                        (sent, answer), waiting = waiting, None
                        sending.count(sent, await answer)
                    if batch is not None:
                        waiting = batch, asyncio.create_task(self._run(sending.exchange(batch)))
        except Exception as error:
            if waiting is not None:  # the source of the rows failed, not the server
                with suppress(AirtallyError):
                    sending.count(waiting[0], await waiting[1])
            sending.explain(error)
            raise
        except asyncio.CancelledError:
            if waiting is not None:
                waiting[1].cancel()
            raise
        return sending.result

    def query(self, stream: str, **fields: Unpack[QueryFields]) -> AsyncQueryRows:
        """As `Client.query`: nothing is asked before the rows are read."""
        return AsyncQueryRows(query_asked(self._policy, stream, fields), self._run)

    def sql(self, statement: str) -> AsyncQueryRows:
        """As `Client.sql`."""
        return AsyncQueryRows(sql_asked(self._policy, statement), self._run)

    async def export(self, **asked: Unpack[ExportFields]) -> MadeExport:
        """As `Client.export`."""
        return await self._run(made_export(self._policy, asked))

    async def download(self, export: MadeExport | int, folder: Path | str, *, wait: float = 3600.0) -> list[Path]:
        """As `Client.download`."""
        number = export_id_of(export)
        await self._run(finished_export(self._policy, number, wait))
        return await self._run(downloaded_parts(self._policy, number, Path(folder), self._connecting.timeout))

    async def fetch(self, url: str, path: Path, *, size: int, sha256: str) -> None:
        """As `Client.fetch`."""
        sink = IntoFile(path, size, sha256, self._connecting.timeout)
        await self._run(fetched_file(self._policy, url, sink))

    async def items(self, path: str, **query: Any) -> AsyncIterator[dict[str, Any]]:
        """As `Client.items`."""
        cursor: str | None = None
        while True:
            page = await self._run(listed(self._policy, path, query, cursor))
            for item in page.items:
                yield item
            if (cursor := page.next) is None:
                return

    async def request(self, method: str, path: str, **options: Unpack[CallOptions]) -> ApiAnswer:
        """As `Client.request`."""
        return await self._run(call(self._policy, method, path, **options))

    async def _run(self, steps: Exchange[T]) -> T:
        outcome: ApiAnswer | AirtallyError | None = None
        try:
            while True:
                step = steps.send(outcome)
                if isinstance(step, MakeRequest):
                    outcome = await self._outcome(step)
                else:
                    await asyncio.sleep(step.seconds)
                    outcome = None
        except StopIteration as done:
            found: T = done.value
            return found
        finally:
            steps.close()

    async def _outcome(self, step: MakeRequest) -> ApiAnswer | AirtallyError:
        if self._http.is_closed:
            raise ConnectionFailed("the client is closed")
        sink = step.sink or self._connecting.sink()
        try:
            async with self._http.stream(**arguments_of(step.request)) as response:
                sink.begin(response.status_code)
                async for piece in response.aiter_bytes():
                    sink.add(piece)
                return answer_of(response, sink.end())
        except AirtallyError as error:
            return error
        except HTTPX_FAILURES as error:
            return failure_of(error)


async def _batches_and_none(sending: Sending, rows: Any) -> AsyncGenerator[EncodedBatch | None, None]:
    batcher = sending.batcher(rows)
    async with aclosing(_some_at_a_time(rows, whole=not isinstance(batcher, JsonBatcher))) as pieces:
        async for some in pieces:
            for batch in batcher.feed(some):
                yield batch
    for batch in batcher.finish():
        yield batch
    yield None


async def _some_at_a_time(rows: Any, *, whole: bool) -> AsyncGenerator[Any, None]:
    if whole:
        yield rows
    elif isinstance(rows, AsyncIterable):
        async for row in rows:
            yield (row,)
    else:
        each = iter(rows)
        for first in each:
            yield chain((first,), islice(each, _ROWS_A_TURN - 1))
            await asyncio.sleep(0)
