"""Group commit: one thread writes what all waiting requests have brought, with one fsync."""

from __future__ import annotations

import errno
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

import pyarrow as pa
import structlog

from airtally.kit import metrics
from airtally.kit.clock import Clock
from airtally.kit.errors import Failure, StorageFull, Unavailable
from airtally.kit.fair import Queue
from airtally.kit.faults import Faults
from airtally.storage.buffer.batches import BufferBatch, Stamp, parts_of
from airtally.storage.buffer.intake import IntakeCount, IntakeFigures, summed_intakes
from airtally.storage.buffer.store import BufferStore, NewBatch
from airtally.storage.buffer.tail import Chunk, ReceiptClock, Tail
from airtally.storage.marks import NO_MARKS, Marks
from airtally.streams.declaration import Stream

T = TypeVar("T")

#: Some tenths of a second on a slow disk, which is what another account's append waits for.
_GROUP_BYTES = 16 << 20
_GROUP_APPENDS = 1024

_log = structlog.get_logger()

_FULL_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Receipt:
    """Rows on disk: `sequence` is that of their (last) batch in this buffer."""

    sequence: int
    received_at_us: int


@dataclass(slots=True)
class Pending:
    """One append on its way. `parts` are packed already where the rows are many."""

    stream: Stream
    account: str
    rows: pa.Table
    parts: list[BufferBatch] | None
    claim: tuple[str, bytes] | None
    size: int
    done: Future[Receipt]
    intake: IntakeFigures | None = None


@dataclass(slots=True)
class _Call:
    function: Callable[[], Any]
    done: Future[Any]


class BufferWriter:
    """The only thread that uses the store. After a commit the tail has the rows before anyone is told.

    Thread-safe: a lock guards what waits; `_full_at` is written by its thread alone.
    """

    def __init__(
        self,
        store: BufferStore,
        tail: Tail,
        stamp: Stamp,
        *,
        clock: Clock,
        faults: Faults,
        written: Callable[[int], None],
        marks: Marks = NO_MARKS,
    ) -> None:
        self._store = store
        self._tail = tail
        self._stamp = stamp
        self._clock = clock
        self._faults = faults
        self._written = written
        self._marks = marks
        self._lock = threading.Lock()
        self._signals: queue.SimpleQueue[None] = queue.SimpleQueue()  # at least one for each thing that waits
        self._appends: Queue[Pending] = Queue()
        self._calls: list[_Call] = []
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="airtally-buffer", daemon=True)
        self._full_at: float | None = None
        self.moment = ReceiptClock(clock)

    def start(self) -> None:
        self._thread.start()

    @property
    def lacked_room(self) -> bool:
        """Whether the disk was full at the last write, a moment ago: later ones may find room."""
        return self._full_at is not None and time.monotonic() - self._full_at < _FULL_SECONDS

    def stop(self) -> None:
        """Write what was put before; refuse what comes after."""
        with self._lock:
            self._stopped = True
        self._signals.put(None)
        self._thread.join()

    def put(self, pending: Pending) -> None:
        self._enqueue(pending)

    def call(self, function: Callable[[], T]) -> T:
        """Run on the writer's thread, between two commits; appends that were put before may come after."""
        if threading.current_thread() is self._thread:
            return function()
        done: Future[T] = Future()
        self._enqueue(_Call(function, done))
        return done.result()

    def _enqueue(self, item: Pending | _Call) -> None:
        """Refused after a stop, when no thread is left to answer."""
        with self._lock:
            stopped = self._stopped
            if isinstance(item, Pending) and not stopped:
                self._appends.put(item.account, item)
            elif isinstance(item, _Call) and not stopped:
                self._calls.append(item)
        if stopped:
            item.done.set_exception(Unavailable("The server is stopping"))
        else:
            self._signals.put(None)

    def _run(self) -> None:
        ended = False
        while not ended:
            self._signals.get()
            group, calls, ended = self._next()
            if group:
                self._commit(group)
            for call in calls:
                _resolve(call)

    def _next(self) -> tuple[list[Pending], list[_Call], bool]:
        """Appends that wait, accounts in turn, up to the size of a group; all calls; whether nothing comes after."""
        group: list[Pending] = []
        size = 0
        with self._lock:
            while size <= _GROUP_BYTES and len(group) < _GROUP_APPENDS and (found := self._appends.take()) is not None:
                group.append(found[1])
                size += found[1].size
            calls, self._calls = self._calls, []
            return group, calls, self._stopped and not len(self._appends)

    def _commit(self, group: list[Pending]) -> None:
        try:
            received_at = self.moment.begin()
            owners, parts = _merge(group, received_at)
            claims = [pending.claim for pending in group if pending.claim is not None]
            intakes = summed_intakes((each.intake for each in group if each.intake is not None), received_at)
            with self._marks.committing():
                sequences = self._write(parts, claims, intakes, received_at)
                for part, sequence in zip(parts, sequences, strict=True):
                    self._tail.append(part.stream.name, part.lane, self._chunk(part, sequence, received_at))
        except BaseException as error:  # noqa: BLE001 (each waiting request gets it)
            self.moment.end()
            failure = _as_failure(error)
            self._full_at = time.monotonic() if isinstance(failure, StorageFull) else None
            _fail(group, failure)
            return
        self.moment.end()
        self._full_at = None
        self._written(sum(part.content.size for part in parts))
        for pending, owned in zip(group, owners, strict=True):
            pending.done.set_result(Receipt(sequences[owned] if owned >= 0 else 0, received_at))

    def _write(
        self,
        parts: list[BufferBatch],
        claims: list[tuple[str, bytes]],
        intakes: list[IntakeCount],
        received_at: int,
    ) -> list[int]:
        self._faults.reach("buffer.write")
        return self._store.insert(
            [NewBatch(part.stream.name, part.lane, received_at, part.rows.num_rows, part.content) for part in parts],
            claims,
            intakes,
        )

    def _chunk(self, part: BufferBatch, sequence: int, received_at: int) -> Chunk:
        rows = self._stamp.stored(part.stream, part.rows, received_at, sequence)
        return Chunk(rows, sequence, sequence, part.accounts, part.content.size, received_at)


def _merge(group: list[Pending], now_us: int) -> tuple[list[int], list[BufferBatch]]:
    """The batches to write, and for each append the index of its last one (-1: it had no rows)."""
    parts: list[BufferBatch] = []
    owners = [-1] * len(group)
    small: dict[str, list[int]] = {}
    for index, pending in enumerate(group):
        if pending.parts is None:
            small.setdefault(pending.stream.name, []).append(index)
        elif pending.parts:
            parts += pending.parts
            owners[index] = len(parts) - 1
    for indexes in small.values():
        parts += _merge_appends([group[index] for index in indexes], now_us)
        for index in indexes:
            owners[index] = len(parts) - 1
    return owners, parts


def _merge_appends(group: list[Pending], now_us: int) -> list[BufferBatch]:
    """Small appends of one stream as one batch (a batch for each lane they touch)."""
    rows = pa.concat_tables([pending.rows for pending in group]).combine_chunks()
    names = [pending.account for pending in group for _ in range(pending.rows.num_rows)]
    rows = rows.add_column(0, "account", pa.array(names, pa.string()))
    return parts_of(group[0].stream, rows, frozenset(names), now_us)


def _resolve(call: _Call) -> None:
    try:
        call.done.set_result(call.function())
    except BaseException as error:  # noqa: BLE001 (handed to the caller)
        call.done.set_exception(error)


def _fail(group: list[Pending], failure: Failure) -> None:
    metrics.BUFFER_FAILURES.labels(failure.code).inc()
    _log.error("buffer write failed", code=failure.code, appends=len(group), error=str(failure.__cause__ or failure))
    for pending in group:
        pending.done.set_exception(failure)


def _as_failure(error: BaseException) -> Failure:
    if isinstance(error, Failure):
        return error
    failure: Failure
    if is_full(error):
        failure = StorageFull("The server's disk is full; nothing of this request was kept")
    else:
        failure = Unavailable(f"The buffer cannot be written: {type(error).__name__}")
    failure.__cause__ = error
    return failure


def is_full(error: BaseException) -> bool:
    """Whether there is no room on the disk."""
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", 0)
        return code == sqlite3.SQLITE_FULL or code in {
            sqlite3.SQLITE_IOERR_WRITE,
            sqlite3.SQLITE_IOERR_SHMSIZE,
            sqlite3.SQLITE_IOERR_TRUNCATE,
        }
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return True
    return any(each in str(error) for each in ("No space left on device", "Disk quota exceeded"))
