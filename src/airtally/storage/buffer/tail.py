"""The rows of a buffer that may not be in the lake yet, decoded and in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airtally.kit.clock import Clock
from airtally.streams.declaration import SEQUENCE_SHIFT, WRITER_ID

#: Chunks up to this size are joined, so that thousands of small batches do not slow a question.
_JOINED_ROWS = 1 << 14


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows (`stream.stored_schema`) of consecutive batches. `size` is what they take in the file."""

    rows: pa.Table
    first: int
    last: int
    accounts: frozenset[str]
    size: int
    received_at_us: int

    def above(self, sequence: int) -> pa.Table:
        """The rows of batches above `sequence`."""
        if sequence < self.first:
            return self.rows
        limit = (sequence + 1) << SEQUENCE_SHIFT
        start = int(np.searchsorted(self.rows.column("sequence").to_numpy(), limit))
        return self.rows.slice(start)

    def of_account(self, account: str, sequence: int) -> pa.Table | None:
        """The account's rows of batches above `sequence`; None where there are none."""
        if account not in self.accounts or self.last <= sequence:
            return None
        rows = self.above(sequence)
        if len(self.accounts) > 1:
            rows = rows.filter(pc.equal(rows.column("account"), account))
        return rows if rows.num_rows else None


@dataclass(frozen=True, slots=True)
class TailPart:
    """What one lane of one buffer holds of a stream, by rising sequence. Immutable."""

    buffer_id: str
    lane: int
    chunks: tuple[Chunk, ...]

    @property
    def app_id(self) -> str:
        """The Delta application whose transaction version says what of this is in the lake."""
        return f"{self.buffer_id}:{self.lane}"

    @property
    def rows(self) -> int:
        return sum(chunk.rows.num_rows for chunk in self.chunks)

    @property
    def size(self) -> int:
        return sum(chunk.size for chunk in self.chunks)


class LaneTail:
    """One lane's chunks: appended to at each commit, joined when read, cut after each flush. Thread-safe (one lock)."""

    def __init__(self, buffer_id: str, lane: int, writer_ids: Callable[[int], pa.ChunkedArray]) -> None:
        self._buffer_id = buffer_id
        self._lane = lane
        self._writer_ids = writer_ids
        self._lock = threading.Lock()
        self._chunks: list[Chunk] = []
        self._new: list[Chunk] = []
        self._part: TailPart | None = TailPart(buffer_id, lane, ())

    def append(self, chunk: Chunk) -> None:
        with self._lock:
            self._new.append(chunk)
            self._part = None

    def part(self) -> TailPart:
        with self._lock:
            if self._part is None:
                self._join()
                self._part = TailPart(self._buffer_id, self._lane, tuple(self._chunks))
            return self._part

    def drop(self, through: int) -> int:
        """Forget batches up to `through`; returns the bytes they took in the file."""
        with self._lock:
            before = self._bytes()
            self._chunks = _kept(self._chunks, through)
            self._new = _kept(self._new, through)
            self._part = None
            return before - self._bytes()

    def _bytes(self) -> int:
        return sum(chunk.size for chunk in self._chunks) + sum(chunk.size for chunk in self._new)

    def _join(self) -> None:
        """Join the new ones, then neighbours of like size: each row is copied a logarithmic number of times."""
        run: list[Chunk] = []
        rows = 0
        for chunk in self._new:
            if rows + chunk.rows.num_rows > _JOINED_ROWS:
                self._push(run)
                run, rows = [], 0
            run.append(chunk)
            rows += chunk.rows.num_rows
        self._new = []
        self._push(run)

    def _push(self, run: list[Chunk]) -> None:
        while run and self._chunks and _alike(self._chunks[-1], run):
            run.insert(0, self._chunks.pop())
        if run:
            self._chunks.append(run[0] if len(run) == 1 else self._joined(run))

    def _joined(self, run: list[Chunk]) -> Chunk:
        rows = pa.concat_tables([chunk.rows for chunk in run])
        index = rows.schema.get_field_index(WRITER_ID.name)
        rows = rows.remove_column(index).combine_chunks()
        rows = rows.add_column(index, WRITER_ID.name, self._writer_ids(rows.num_rows))
        return Chunk(
            rows,
            run[0].first,
            run[-1].last,
            frozenset().union(*(chunk.accounts for chunk in run)),
            sum(chunk.size for chunk in run),
            run[0].received_at_us,
        )


def _alike(last: Chunk, run: list[Chunk]) -> bool:
    rows, before = sum(len(chunk.rows) for chunk in run), len(last.rows)
    return before <= 2 * rows and before + rows <= _JOINED_ROWS


def _kept(chunks: list[Chunk], through: int) -> list[Chunk]:
    return [_rows_after(chunk, through) for chunk in chunks if chunk.last > through]


def _rows_after(chunk: Chunk, through: int) -> Chunk:
    if chunk.first > through:
        return chunk
    rows = chunk.above(through)
    size = chunk.size * rows.num_rows // max(1, chunk.rows.num_rows)
    return Chunk(rows, through + 1, chunk.last, chunk.accounts, size, chunk.received_at_us)


class ReceiptClock:
    """Gives the writer times of receipt, and tells readers by when all rows received are in the tail.

    Thread-safe (one lock).
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._last = 0
        self._under_way: int | None = None

    def begin(self) -> int:
        with self._lock:
            self._last = max(self._last, self._clock.now_us())
            self._under_way = self._last
            return self._last

    def end(self) -> None:
        with self._lock:
            self._under_way = None

    def through(self) -> int:
        """All rows received by then are in a tail that is read after this call."""
        with self._lock:
            return self._clock.now_us() if self._under_way is None else self._under_way - 1


class Tail:
    """All streams and lanes of one buffer. Thread-safe: a lock guards the list of lanes, each lane has one for its rows."""

    def __init__(self, buffer_id: str, writer_ids: Callable[[int], pa.ChunkedArray]) -> None:
        self.buffer_id = buffer_id
        self._writer_ids = writer_ids
        self._lock = threading.Lock()
        self._lanes: dict[str, dict[int, LaneTail]] = {}

    def append(self, stream: str, lane: int, chunk: Chunk) -> None:
        with self._lock:
            lanes = self._lanes.setdefault(stream, {})
            if lane not in lanes:
                lanes[lane] = LaneTail(self.buffer_id, lane, self._writer_ids)
            found = lanes[lane]
        found.append(chunk)

    def parts(self, stream: str) -> list[TailPart]:
        """What each lane holds of a stream; lanes without rows are left out."""
        with self._lock:
            lanes = list(self._lanes.get(stream, {}).values())
        return [part for part in (lane.part() for lane in lanes) if part.chunks]

    def drop(self, stream: str, lane: int, through: int) -> int:
        """Forget a lane's batches up to `through`; returns the bytes they took in the file."""
        with self._lock:
            found = self._lanes.get(stream, {}).get(lane)
        return 0 if found is None else found.drop(through)

    @property
    def streams(self) -> list[str]:
        """Those with rows."""
        with self._lock:
            names = list(self._lanes)
        return [name for name in names if self.parts(name)]
