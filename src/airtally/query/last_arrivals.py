"""When the last row of each player arrived: one small entry a player, to which new files are added."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airtally.kit.cache import Cache
from airtally.kit.errors import TooLargeAtOnce
from airtally.kit.keyed_locks import KeyedLocks
from airtally.query.arrival_reader import ArrivalReader, Arrivals, TooManyValues
from airtally.query.question import Dimension, Function, Metric, Question
from airtally.sql.filters import OneOf
from airtally.storage.lake.snapshot import DataFile, Snapshot
from airtally.streams.declaration import ACCOUNT, RECEIVED_AT, Stream

#: Bytes kept in all; the least recently asked accounts go first.
_MAX_BYTES = 64 << 20
#: Values of one account; those with more are asked of the rows each time.
MAX_VALUES = 1_000_000
#: How long an account of too many values is not tried again, and how many such are remembered.
_CROWDED_SECONDS, _CROWDED = 600, 10_000


@dataclass(frozen=True, slots=True)
class _KeptArrivals:
    """Of the rows of `files`; the owner of an arrival is the place of one of the files that has it."""

    files: tuple[str, ...]
    arrivals: Arrivals

    def is_of(self, files: Mapping[str, DataFile]) -> bool:
        return len(files) == len(self.files) and all(path in files for path in self.files)

    @property
    def size(self) -> int:
        return self.arrivals.size + sum(map(len, self.files)) + 64 * len(self.files)


class LastArrivals:
    """The last arrival by a column of whole numbers, of an account's stream, repeats of an event too.

    It is exact for the snapshot that it is asked with. New files are read once. Where a file went, a value whose last
    row lay in it is found in what came instead, as after compaction, or asked of all other files. Thread-safe: by the
    lock of its `Cache`, and one for each stream of an account while its entries are made.
    """

    def __init__(self, reader: ArrivalReader, max_bytes: int = _MAX_BYTES, max_values: int = MAX_VALUES) -> None:
        self._reader, self._max_values = reader, max_values
        self._kept: Cache[tuple[str, str, str], _KeptArrivals] = Cache(max_bytes, size_of=lambda each: each.size)
        self._crowded: Cache[tuple[str, str, str], bool] = Cache(_CROWDED, seconds=_CROWDED_SECONDS)
        self._making: KeyedLocks[tuple[str, str, str], threading.Lock] = KeyedLocks(threading.Lock)

    def of(self, snapshot: Snapshot, column: str, values: Sequence[int]) -> dict[int, int] | None:
        """Microseconds UTC by value, values without a row left out; None where the account has too many values.

        Raises what the engine raises.
        """
        place = (snapshot.stream.name, snapshot.account, column)
        if self._crowded.get(place):
            return None
        try:
            kept = self._of_files(place, snapshot)
        except (TooManyValues, TooLargeAtOnce):
            self._crowded.put(place, True)
            return None
        wanted = np.array(sorted(set(values)), dtype=np.int64)
        found = kept.arrivals.among(wanted)
        return found.merged(_buffered(snapshot, column, wanted)).as_dict()

    def clear(self) -> None:
        """Forget all entries."""
        self._kept.clear()

    def _of_files(self, place: tuple[str, str, str], snapshot: Snapshot) -> _KeptArrivals:
        files = {file.path: file for file in snapshot.compacted + snapshot.uncompacted}
        kept = self._kept.get(place)
        if kept is not None and kept.is_of(files):
            return kept
        with self._making.of(place):
            kept = self._kept.get(place) or _KeptArrivals((), Arrivals.none())
            if not kept.is_of(files):
                kept = self._followed(kept, files, snapshot, place[2])
                self._kept.put(place, kept)
            return kept

    def _followed(
        self, kept: _KeptArrivals, files: dict[str, DataFile], snapshot: Snapshot, column: str
    ) -> _KeptArrivals:
        """What is kept, as of another set of files."""
        places = {path: place for place, path in enumerate(kept.files)}
        stay = [path for path in kept.files if path in files]
        came = [path for path in files if path not in places]
        left, lost = kept.arrivals.of_owners([places[path] for path in stay])
        new = self._reader.last_arrivals(snapshot, [files[path] for path in came], column)
        found = left.merged(new.moved(len(stay)))
        unsure = found.earlier_than(lost)
        if len(unsure):
            again = self._reader.last_arrivals(snapshot, [files[path] for path in stay], column, unsure)
            found = found.merged(again)
        if len(found.values) > self._max_values:
            raise TooManyValues
        return _KeptArrivals((*stay, *came), found)


def arrivals_question(stream: Stream, account: str, name: str, values: Sequence[int]) -> Question:
    """The same asked of all rows."""
    last = Metric("last", Function.MAX, RECEIVED_AT.name)
    return Question(stream, account, (last,), (Dimension(name),), where=OneOf(name, tuple(values)), as_received=True)


def arrivals_of(answer: pa.Table, name: str) -> dict[int, int]:
    """What an answer to that question says."""
    return dict(zip(answer[name].to_pylist(), answer["last"].to_pylist(), strict=True))


def _buffered(snapshot: Snapshot, column: str, wanted: np.ndarray) -> Arrivals:
    found = [_of_table(rows, snapshot.account, column, wanted) for rows in snapshot.buffered]
    tables: Iterable[pa.Table] = [table for table in found if table.num_rows]
    if not tables:
        return Arrivals.none()
    last = pa.concat_tables(tables).group_by("value").aggregate([("at", "max")])
    return Arrivals.of_columns(last.column("value"), last.column("at_max"))


def _of_table(rows: pa.Table, account: str, column: str, wanted: np.ndarray) -> pa.Table:
    own = pc.equal(rows.column(ACCOUNT.name), account)
    asked = pc.is_in(rows.column(column), value_set=pa.array(wanted))
    columns = [rows.column(column), rows.column(RECEIVED_AT.name).cast(pa.int64())]
    return pa.table(columns, names=["value", "at"]).filter(pc.and_(own, asked))
