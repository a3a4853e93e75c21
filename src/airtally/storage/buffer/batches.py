"""Batches for the buffer: split by lane, packed for the file, given the server's columns for the tail."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import IntEnum

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airtally.kit.fair import pause
from airtally.kit.time import utc_day
from airtally.streams.declaration import MAX_BATCH_ROWS, RECEIVED_AT, SEQUENCE_SHIFT, Partition, Stream
from airtally.streams.evolution import as_declared

_SHARED_ROWS = 1 << 15
#: Rows packed in one go: some milliseconds.
_PACKED_ROWS = 1 << 15


class Lane(IntEnum):
    """Rows of days that are over wait longer, since each flush of them writes a file for each of their days."""

    OPEN = 0
    LATE = 1


@dataclass(frozen=True, slots=True)
class BufferBatch:
    """Rows of one stream and lane that go into the buffer as one batch.

    `rows` has `account`, the stream's own columns and, for event days, `day`. `content` is what the file keeps.
    """

    stream: Stream
    lane: Lane
    rows: pa.Table
    accounts: frozenset[str]
    content: pa.Buffer


def with_account(rows: pa.Table, account: str) -> pa.Table:
    return rows.add_column(0, "account", pa.repeat(pa.scalar(account, pa.string()), rows.num_rows))


def parts_of(stream: Stream, rows: pa.Table, accounts: frozenset[str], now_us: int) -> list[BufferBatch]:
    """`rows` (`account` and the stream's columns) cut by lane and to at most MAX_BATCH_ROWS rows."""
    parts = []
    for lane, laned in _lanes(stream, with_day(stream, rows), now_us):
        for start in range(0, laned.num_rows, MAX_BATCH_ROWS):
            cut = laned.slice(start, MAX_BATCH_ROWS)
            parts.append(BufferBatch(stream, lane, cut, accounts, pack(stream, cut)))
    return parts


def with_day(stream: Stream, rows: pa.Table) -> pa.Table:
    if stream.partition is not Partition.EVENT_DAY:
        return rows
    return rows.append_column("day", rows.column(stream.time).cast(pa.date32()))


def first_open_day(now_us: int) -> date:
    return utc_day(now_us) - timedelta(days=1)


def _lanes(stream: Stream, rows: pa.Table, now_us: int) -> list[tuple[Lane, pa.Table]]:
    if rows.num_rows == 0:
        return []
    if stream.partition is not Partition.EVENT_DAY:
        return [(Lane.OPEN, rows)]
    days, limit = rows.column("day"), first_open_day(now_us)
    ends = pc.min_max(days).as_py()
    if ends["min"] >= limit:
        return [(Lane.OPEN, rows)]
    if ends["max"] < limit:
        return [(Lane.LATE, rows)]
    late = pc.less(days, pa.scalar(limit, pa.date32()))
    return [(Lane.OPEN, rows.filter(pc.invert(late))), (Lane.LATE, rows.filter(late))]


def pack(stream: Stream, rows: pa.Table) -> pa.Buffer:
    """Arrow IPC with zstd of `account` and the stream's columns."""
    kept = rows.select(["account", *stream.row_schema.names])
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=pa.Codec("zstd", 1), use_threads=False)
    with pa.ipc.new_stream(sink, kept.schema, options=options) as writer:
        for batch in kept.to_batches(max_chunksize=_PACKED_ROWS):
            pause()
            writer.write_batch(batch)
    return sink.getvalue()


def unpack(stream: Stream, content: bytes) -> pa.Table:
    """The rows of a packed batch as today's declaration has them, with `day` where a `BufferBatch` has it.

    Raises NewerHome for a batch that a newer program packed.
    """
    with pa.ipc.open_stream(content) as reader:
        return with_day(stream, as_declared(stream, reader.read_all()))


class Stamp:
    """Adds the server's columns to rows of one writer.

    Thread-safe: the shared array is immutable, and replaced by a longer one.
    """

    def __init__(self, writer_id: str) -> None:
        self.writer_id = writer_id
        self._ids = pa.array([], pa.string())

    def stored(self, stream: Stream, rows: pa.Table, received_at_us: int, sequence: int) -> pa.Table:
        """`stream.stored_schema`; `sequence` is the batch's."""
        count = rows.num_rows
        first = sequence << SEQUENCE_SHIFT
        columns = {name: rows.column(name) for name in ("account", *stream.row_schema.names)}
        columns["received_at"] = pa.repeat(pa.scalar(received_at_us, RECEIVED_AT.type), count)
        columns["writer_id"] = self.column(count)
        columns["sequence"] = pa.array(np.arange(first, first + count, dtype=np.int64))
        if stream.partition is Partition.EVENT_DAY:
            columns["day"] = rows.column("day")
        elif stream.partition is Partition.ARRIVAL_DAY:
            columns["day"] = pa.repeat(pa.scalar(utc_day(received_at_us), pa.date32()), count)
        return pa.table(columns, schema=stream.stored_schema)

    def column(self, count: int) -> pa.ChunkedArray:
        """The writer's id `count` times; all batches share the memory."""
        shared = self._ids  # read once: several threads come here at the same time
        wanted = min(count, _SHARED_ROWS)
        if len(shared) < wanted:
            self._ids = shared = pa.repeat(pa.scalar(self.writer_id), min(max(64, 2 * wanted), _SHARED_ROWS))
        whole, rest = divmod(count, _SHARED_ROWS)
        return pa.chunked_array([shared] * whole + [shared.slice(0, rest)], pa.string())
