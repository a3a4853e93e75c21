"""The client for threads: it blocks, uses no event loop, and may be shared by threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

import httpx

from airtally.client.asking import QueryFields, query_asked, sql_asked
from airtally.client.batches import EncodedBatch
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
from airtally.client.results import QueryRows
from airtally.client.sending import Sending, SendOptions
from airtally.client.sent import BatchAnswer, SendResult
from airtally.client.transport import HTTPX_FAILURES, ClientOptions, Connecting, answer_of, arguments_of, failure_of

T = TypeVar("T")


class Client:
    """A client of one account on one server. Close it, or use it in a `with` block."""

    def __init__(self, url: str, token: str, **options: Unpack[ClientOptions]) -> None:
        """`url` is the server's address, `token` a native key. Raises ValueError for what cannot be used."""
        self._connecting = Connecting(url, token, **options)
        self._policy = self._connecting.retry
        self._http = httpx.Client(**self._connecting.arguments())
        self._closed = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; a request that waits for its next try fails."""
        self._closed.set()
        self._http.close()

    def send(self, stream: str, rows: Any, **options: Unpack[SendOptions]) -> SendResult:
        """Send rows in batches, in their order; returns when all are acknowledged, which is on the server's disk.

        `rows` is an iterable of mappings, dataclasses or msgspec structs, or a table (Arrow, pandas, Polars, DuckDB).
        The next batch is encoded while one is sent; two are held at most. Raises AirtallyError, whose `sent` says what
        was acknowledged before.
        """
        sending = Sending(stream, self._policy, **options)
        waiting: tuple[EncodedBatch, Future[BatchAnswer]] | None = None
        try:
            for batch in chain(sending.batches(rows), (None,)):
                if waiting is not None:
                    (sent, answer), waiting = waiting, None
                    sending.count(sent, answer.result())
                if batch is not None:
                    waiting = batch, _in_background(self._run, sending.exchange(batch), sending.is_stopped)
        except Exception as error:
            if waiting is not None:  # the source of the rows failed, not the server
                with suppress(AirtallyError):
                    sending.count(waiting[0], waiting[1].result())
            sending.explain(error)
            raise
        finally:
            sending.stop()
        return sending.result

    def query(self, stream: str, **fields: Unpack[QueryFields]) -> QueryRows:
        """Figures of a stream. Nothing is asked before the rows are read. Raises ValueError."""
        return QueryRows(query_asked(self._policy, stream, fields), self._run)

    def sql(self, statement: str) -> QueryRows:
        """One SELECT over the account's tables (docs/reference/sql-api.md), run when the rows are read."""
        return QueryRows(sql_asked(self._policy, statement), self._run)

    def export(self, **asked: Unpack[ExportFields]) -> MadeExport:
        """Files of rows or of an answer of any size, once they are made (docs/reference/exports-api.md).

        Raises ExportNotDone, or another AirtallyError.
        """
        return self._run(made_export(self._policy, asked))

    def download(self, export: MadeExport | int, folder: Path | str, *, wait: float = 3600.0) -> list[Path]:
        """The files of an export, by it or its id, in a folder; checked by size and SHA-256, each there only when it is whole.

        What a cut connection left out is fetched again, and by a call that is repeated only what is not there yet. Waits
        until the export is done. Raises ExportNotDone, another AirtallyError, and OSError of the folder.
        """
        number = export_id_of(export)
        self._run(finished_export(self._policy, number, wait))
        return self._run(downloaded_parts(self._policy, number, Path(folder), self._connecting.timeout))

    def fetch(self, url: str, path: Path, *, size: int, sha256: str) -> None:
        """A file of the server, such as one of a whole account's export, checked and there only when it is whole.

        Raises AirtallyError, and OSError of the folder.
        """
        sink = IntoFile(path, size, sha256, self._connecting.timeout)
        self._run(fetched_file(self._policy, url, sink))

    def items(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """All of a listing, such as `/api/v1/keys`, page by page. Raises AirtallyError."""
        cursor: str | None = None
        while True:
            page = self._run(listed(self._policy, path, query, cursor))
            yield from page.items
            if (cursor := page.next) is None:
                return

    def request(self, method: str, path: str, **options: Unpack[CallOptions]) -> ApiAnswer:
        """Any call of the API; the answer of a success. Raises AirtallyError, and ValueError for a wrong path."""
        return self._run(call(self._policy, method, path, **options))

    def _run(self, steps: Exchange[T], is_stopped: Callable[[], bool] = lambda: False) -> T:
        outcome: ApiAnswer | AirtallyError | None = None
        try:
            while True:
                step = steps.send(outcome)
                if isinstance(step, MakeRequest):
                    outcome = self._outcome(step)
                elif self._closed.wait(step.seconds) or is_stopped():
                    raise ConnectionFailed("the client was closed while it waited for the next try")
                else:
                    outcome = None
        except StopIteration as done:
            found: T = done.value
            return found
        finally:
            steps.close()

    def _outcome(self, step: MakeRequest) -> ApiAnswer | AirtallyError:
        if self._http.is_closed:
            raise ConnectionFailed("the client is closed")
        sink = step.sink or self._connecting.sink()
        try:
            with self._http.stream(**arguments_of(step.request)) as response:
                sink.begin(response.status_code)
                for piece in response.iter_bytes():
                    sink.add(piece)
                return answer_of(response, sink.end())
        except AirtallyError as error:
            return error
        except HTTPX_FAILURES as error:
            return failure_of(error)


def _in_background(function: Callable[..., T], *arguments: object) -> Future[T]:
    """Run in a thread of its own, which does not keep the program from ending."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(function(*arguments))
        except BaseException as error:  # noqa: BLE001 (it is the caller's)
            future.set_exception(error)

    threading.Thread(target=run, name="airtally-send", daemon=True).start()
    return future
