"""Buffer and lake as one store: append and flush rows, and take snapshots of both."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import structlog
from deltalake.exceptions import TableNotFoundError

from airtally.kit import metrics
from airtally.kit.clock import Clock
from airtally.kit.errors import StorageFull
from airtally.storage.buffer import Buffer, Chunk, PeerTails, TailPart
from airtally.storage.buffer.batches import Stamp, with_account, with_day
from airtally.storage.buffer.writer import is_full
from airtally.storage.lake import Lake, LakeTable, TableVersion
from airtally.storage.lake.delta import CommitConflict
from airtally.storage.lake.snapshot import Snapshot
from airtally.storage.looks import Look, Looks
from airtally.storage.watermark import Limit, alone
from airtally.streams import STREAMS
from airtally.streams.declaration import DAY, MAX_BATCH_ROWS, Stream

#: One flush commits at most so many rows, so that its memory is bounded.
_FLUSH_ROWS = 2_000_000
_TRIES = 8
_LOOKS = 3

_log = structlog.get_logger()

#: Start and end of event time, and the moment of receipt, that prune files (microseconds UTC).
_Bounds = tuple[int | None, int | None, int | None]
Due = Callable[[Stream, TailPart], bool]
#: From rows (`stream.stored_schema`) on their way into the lake to those that may get there.
Sieve = Callable[[Stream, pa.Table], pa.Table]


class Overtaken(Exception):
    """Another process committed rows of the same file: find out what is left of it, and go on from there."""


class EventStore:
    """The source of all snapshots. `buffer` is None in a process that accepts no rows.

    `buffers` is the folder of this host's buffers; other processes' rows are read from there. `limit` says how far the
    rows of other hosts are in the lake, `sieve` which rows do not go there any more, as they were erased. Thread-safe: buffer and lake are, and of each stream one thread flushes.
    """

    def __init__(
        self,
        lake: Lake,
        buffer: Buffer | None,
        *,
        clock: Clock,
        buffers: Path | None = None,
        limit: Callable[[], Limit] = alone,
        sieve: Sieve = lambda _, rows: rows,
    ) -> None:
        self.lake = lake
        self.buffer = buffer
        self._clock = clock
        self._limit = limit
        self._sieve = sieve
        folder = buffers or (None if buffer is None else buffer.folder)
        self._peers = None if folder is None else PeerTails(folder)
        self._looks = Looks(lake.marks)
        self._flushing = {name: threading.Lock() for name in STREAMS}

    def snapshot(
        self,
        stream: Stream,
        account: str,
        *,
        start_us: int | None = None,
        end_us: int | None = None,
        received_us: int | None = None,
        flushed: bool = False,
    ) -> Snapshot:
        """Everything acknowledged so far of `account`; see `SnapshotSource`.

        `received_us` leaves out files without a row received after that moment; it says nothing of what is buffered.

        `flushed` moves this process's rows into the lake first and leaves out what others still buffer.
        """
        if flushed:
            return self._flushed(stream, account, start_us, end_us)
        through, look = self._at_one_moment(stream)
        bounds = start_us, end_us, received_us
        snapshot = look.snapshots.get((account, bounds))
        if snapshot is None:
            snapshot = self._of_look(stream, account, bounds, look)
            look.snapshots.put((account, bounds), snapshot)
        return replace(snapshot, data_through_us=through)

    def _of_look(self, stream: Stream, account: str, bounds: _Bounds, look: Look) -> Snapshot:
        chunks = [rows for part in look.tails for rows in self._unflushed(stream, part, look.table_version, account)]
        state = _state_of(look.table_version, look.tails)
        return _snapshot(stream, account, self.lake.table(stream), look.table_version, bounds, chunks, 0, state)

    def flush(self, stream: Stream | None = None, *, force: bool = True, due: Due | None = None) -> int:
        """Move buffered rows into the lake; returns how many. Without `force` only what `due` says."""
        if self.buffer is None:
            return 0
        count, failed = 0, None
        for each in [stream] if stream is not None else self.buffer.streams():
            try:
                count += self._flush_stream(self.buffer, each, None if force else due)
            except Exception as error:  # noqa: BLE001 (one stream's trouble is not another's)
                metrics.FLUSH_FAILURES.labels(each.name).inc()
                _log.exception("flush failed; the rows stay in the buffer", stream=each.name)
                failed = failed or error
        if failed is not None:
            raise _as_failure(failed)
        return count

    def append_file_rows(  # noqa: PLR0917 (what names the rows in the lake)
        self, stream: Stream, account: str, rows: pa.Table, app_id: str, version: int, after: int | None = None
    ) -> bool:
        """Append rows (`stream.row_schema`) of a file straight to the lake, exactly once for (app_id, version).

        `version` must rise from call to call and is what `committed` answers. False: they were there already.
        `after` is the version that the application must have (-1: none); raises Overtaken where it has another one
        below `version`, that is where another process has committed some of these rows.
        """
        if rows.num_rows > MAX_BATCH_ROWS:
            raise ValueError(f"at most {MAX_BATCH_ROWS} rows at once")
        whole = with_day(stream, with_account(rows.cast(stream.row_schema), account))
        stored = Stamp(writer_id_of(app_id)).stored(stream, whole, self._clock.now_us(), version)

        def above(done: int) -> tuple[pa.Table, int] | None:
            if done >= version:
                return None
            if after is not None and done != after:
                raise Overtaken
            return self._sieve(stream, stored), version

        return self._append_once(self.lake.table(stream), app_id, above)

    def committed(self, stream: Stream, app_id: str) -> int | None:
        """The version of the last `append_file_rows` of an application."""
        return self.lake.table(stream).committed(app_id)

    def settled(self, stream: Stream, before: date) -> bool:
        """Whether no row of a day before `before` is in a buffer of this host; this process's is flushed first."""
        self.flush(stream)
        table_version = self.lake.table(stream).newest()
        for part in self._tails(stream):
            done = -1 if table_version is None else table_version.committed(part.app_id)
            left = (chunk.above(done) for chunk in part.chunks if chunk.last > done)
            if any(pc.min(rows.column(DAY.name)).as_py() < before for rows in left if rows.num_rows):
                return False
        return True

    def unreadable(self) -> list[str]:
        """Damaged buffers of other processes on this host; see `PeerTails.unreadable`."""
        return [] if self._peers is None else self._peers.unreadable()

    def close(self) -> None:
        if self._peers is not None:
            self._peers.close()

    def _flushed(self, stream: Stream, account: str, start_us: int | None, end_us: int | None) -> Snapshot:
        through, limit = self._through()
        self.flush(stream)
        table = self.lake.table(stream)
        table.open()  # an engine that reads Delta itself needs a table to be there
        table_version = table.newest(limit.since)
        return _snapshot(
            stream,
            account,
            table,
            table_version,
            (start_us, end_us, None),
            [],
            limit.cut(through),
            _state_of(table_version, []),
        )

    def _through(self) -> tuple[int, Limit]:
        """By when this host's rows are in what is read from now on, and the limit set by other hosts' writers."""
        limit = self._limit()
        return self._clock.now_us() if self.buffer is None else self.buffer.through_us(), limit

    def _at_one_moment(self, stream: Stream) -> tuple[int, Look]:
        """Reads the watermark, then the buffers, then the lake. In another order acknowledged rows would be missed.

        Read again when the lake moved on meanwhile, so that a batch under way is not seen in part; that is
        given up where the lake moves on each time. Nothing is read if the marks say that nobody has committed since
        the last look.
        """
        through, limit = self._through()
        last = None if limit.since else self._looks.last(stream)
        if last is not None:
            return limit.cut(through), last
        table = self.lake.table(stream)
        table_version = table.newest()
        for _ in range(_LOOKS):
            before = table_version
            through, limit = self._through()
            token = self._looks.begin()
            tails = self._tails(stream)
            table_version = table.newest(limit.since)
            if table_version is before:
                break
        look = Look(token, tails, table_version)
        self._looks.end(stream, look, frozenset() if self._peers is None else self._peers.present)
        return limit.cut(through), look

    def _tails(self, stream: Stream) -> list[TailPart]:
        """By buffer; the peers first, so that a buffer adopted meanwhile is seen in one place or both."""
        own_ids = () if self.buffer is None else self.buffer.ids
        peers = [] if self._peers is None else self._peers.tail(stream, own_ids)
        own = [] if self.buffer is None else self.buffer.tail(stream)
        held = own_ids if self.buffer is None else self.buffer.ids
        return [*own, *(part for part in peers if part.buffer_id not in held)]

    def _unflushed(
        self, stream: Stream, part: TailPart, table_version: TableVersion | None, account: str
    ) -> Iterable[pa.Table]:
        done = -1 if table_version is None else table_version.committed(part.app_id)
        if self._peers is not None and done >= part.chunks[0].last:
            self._peers.drop(stream, part, done)
        for chunk in part.chunks:
            rows = chunk.of_account(account, done)
            if rows is not None:
                yield rows

    def _flush_stream(self, buffer: Buffer, stream: Stream, due: Due | None) -> int:
        count = 0
        with self._flushing[stream.name]:
            for part in buffer.tail(stream):
                if due is None or due(stream, part):
                    count += self._flush_part(buffer, stream, part)
        return count

    def _flush_part(self, buffer: Buffer, stream: Stream, part: TailPart) -> int:
        """Append one lane's rows, in as many commits as their number needs."""
        count = 0
        for chunks in _bounded(part.chunks):
            taken = _Taken(stream, self._sieve)
            self._append_once(self.lake.table(stream), part.app_id, lambda done, c=chunks, t=taken: t.take(c, done))  # type: ignore[misc]
            buffer.discard(stream, part, chunks[-1].last)
            self._looks.forget(stream)
            metrics.ROWS_FLUSHED.labels(stream.name).inc(taken.rows)
            count += taken.rows
        return count

    def _append_once(self, table: LakeTable, app_id: str, above: Callable[[int], tuple[pa.Table, int] | None]) -> bool:
        """`above` gives the rows above a version and their own version, or None if all are there."""
        for attempt in range(_TRIES):
            handle = table.open()
            done = handle.transaction_version(app_id)
            rows = above(-1 if done is None else done)
            if rows is None:
                table.storage.sync_log(handle.version())  # whoever committed them may have died before
                return False
            try:
                table.append(handle, rows[0], app_id, rows[1])
            except CommitConflict:
                if attempt == _TRIES - 1:
                    raise
                continue
            return True
        raise TableNotFoundError(table.url)


def writer_id_of(app_id: str) -> str:
    """The `writer_id` of the rows that `append_file_rows` stores for an application."""
    return uuid.uuid5(uuid.NAMESPACE_URL, app_id).hex


def _state_of(table_version: TableVersion | None, tails: list[TailPart]) -> Hashable:
    """Equal for equal states of a stream: rows of a lane are only ever added at its end."""
    lasts = ((part.app_id, part.chunks[-1].last) for part in tails)
    if table_version is None:
        return -1, frozenset(lasts)
    return table_version.version, frozenset(
        (app_id, last) for app_id, last in lasts if last > table_version.committed(app_id)
    )


def _as_failure(error: Exception) -> Exception:
    if not is_full(error):
        return error
    failure = StorageFull("The lake's disk is full; acknowledged rows stay in the buffer")
    failure.__cause__ = error
    return failure


@dataclass(slots=True)
class _Taken:
    stream: Stream
    sieve: Sieve
    rows: int = 0

    def take(self, chunks: list[Chunk], done: int) -> tuple[pa.Table, int] | None:
        tables = [chunk.above(done) for chunk in chunks if chunk.last > done]
        if not tables:
            self.rows = 0
            return None
        rows = self.sieve(self.stream, pa.concat_tables(tables))
        self.rows = rows.num_rows
        return rows, chunks[-1].last


def _bounded(chunks: tuple[Chunk, ...]) -> Iterable[list[Chunk]]:
    group: list[Chunk] = []
    rows = 0
    for chunk in chunks:
        if group and rows + chunk.rows.num_rows > _FLUSH_ROWS:
            yield group
            group, rows = [], 0
        group.append(chunk)
        rows += chunk.rows.num_rows
    if group:
        yield group


def _snapshot(  # noqa: PLR0917 (the fields of a snapshot)
    stream: Stream,
    account: str,
    table: LakeTable,
    table_version: TableVersion | None,
    bounds: _Bounds,
    buffered: list[pa.Table],
    through_us: int,
    state: Hashable,
) -> Snapshot:
    files = [] if table_version is None else table_version.prune(account, *bounds)
    return Snapshot(
        stream=stream,
        account=account,
        table_url=table.url,
        version=-1 if table_version is None else table_version.version,
        compacted=tuple(file.data for file in files if file.compacted),
        uncompacted=tuple(file.data for file in files if not file.compacted),
        buffered=tuple(buffered),
        data_through_us=through_us,
        state=state,
    )
