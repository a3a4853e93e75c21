"""Finds the rows that do not count, as their event was received again later, before a question is asked.

Files never change, so that what was found of the files of a day is remembered; buffered rows are looked at for each
state of the buffer. What is known here, no statement need find out: /sql has no memory for it, and no disk.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain

import pyarrow as pa
import pyarrow.compute as pc

from airtally.engine.protocol import Engine
from airtally.kit import metrics
from airtally.kit.cache import Cache
from airtally.kit.time import DAY_US, utc_day
from airtally.sql.compiler import Binder
from airtally.sql.dedupe import Days, Novelty, has_repeats
from airtally.sql.repeats import DAY_NUMBER, repeated_rows
from airtally.sql.statement import Rows
from airtally.storage.lake.snapshot import DataFile, Snapshot
from airtally.streams.declaration import ROW_ID, WRITER_ID, Partition, Stream

#: Repeats that are given to a question as a table: 60 MB as Arrow has them, 250 MB in the engine.
MOST_REPEATS = 2_000_000
#: Days with at most so many new rows together are searched in one statement.
_ROWS_AT_ONCE = 2_000_000
_REMEMBERED_DAYS = 20_000

#: By partition, as `Snapshot.repeats`.
RepeatsOfDays = Mapping[str | None, pa.Table]


@dataclass(frozen=True, slots=True)
class _DayFiles:
    """The files of one day that can hold repeats; some of them are new."""

    day: str | None
    old: tuple[DataFile, ...]
    new: tuple[DataFile, ...]

    @property
    def rows(self) -> int:
        return sum(file.rows for file in self.new)

    def key(self, snapshot: Snapshot) -> Hashable:
        return snapshot.stream.name, snapshot.account, frozenset(file.path for file in self.old + self.new)


class RepeatFinder:
    """Thread-safe: it holds only caches, which have locks of their own. Several may search for the same at once."""

    def __init__(self, engine: Engine, *, most: int = MOST_REPEATS) -> None:
        self._engine, self._most = engine, most
        self._of_days: Cache[Hashable, pa.Table] = Cache(MOST_REPEATS + _REMEMBERED_DAYS, size_of=_size)
        self._overfull: Cache[Hashable, bool] = Cache(_REMEMBERED_DAYS)
        self._of_buffers: Cache[Hashable, pa.Table] = Cache(MOST_REPEATS // 4, size_of=_size)

    def told_apart(self, snapshot: Snapshot, days: Days = None) -> Snapshot:
        """The snapshot with its `repeats`, but without where these are more than `most`.

        `days` are all that is wanted of what is buffered. Raises what the engine raises.
        """
        if not has_repeats(snapshot.stream) or not self._engine.capabilities.file_lists:
            return snapshot
        if any(self._overfull.get(each.key(snapshot)) for each in _days_with_new_files(snapshot)):
            return snapshot
        found: list[pa.Table] = []
        for more in chain(self._in_files(snapshot), self._in_buffers(snapshot, days)):
            found.append(more)
            if sum(each.num_rows for each in found) > self._most:
                return snapshot
        parts = _by_partition(snapshot.stream, pa.concat_tables(found)) if found else {}
        return replace(snapshot, repeats={day: part.select(ROW_ID) for day, part in parts.items()})

    def forget(self) -> None:
        self._of_days.clear()
        self._overfull.clear()
        self._of_buffers.clear()

    def _in_files(self, snapshot: Snapshot) -> Iterator[pa.Table]:
        """Of each day with new files, as they were found before or are now."""
        unknown = []
        for each in _days_with_new_files(snapshot):
            known = self._of_days.get(each.key(snapshot))
            if known is None:
                unknown.append(each)
            elif known.num_rows:
                yield known
        for group in _searched_together(unknown):
            yield self._searched(snapshot, group)

    def _searched(self, snapshot: Snapshot, group: list[_DayFiles]) -> pa.Table:
        old = tuple(file for each in group for file in each.old)
        new = tuple(file for each in group for file in each.new)
        found = self._search(Rows(snapshot, old, ()), Rows(snapshot, new, ()))
        if found.num_rows > self._most:
            if len(group) == 1:
                self._overfull.put(group[0].key(snapshot), True)
        else:
            parts = _by_partition(snapshot.stream, found)
            for each in group:
                self._of_days.put(each.key(snapshot), parts.get(each.day, found.slice(0, 0)))
        return found

    def _in_buffers(self, snapshot: Snapshot, days: Days) -> Iterator[pa.Table]:
        """Repeats that buffered rows make of each other, and of rows in files."""
        files = snapshot.compacted + snapshot.uncompacted
        novelty = Novelty.of(replace(snapshot, compacted=files, uncompacted=()), days)
        if novelty.new.empty:
            return
        read = frozenset(file.path for file in novelty.old.files)
        key = (snapshot.stream.name, snapshot.account, snapshot.state, days, read)
        found = None if snapshot.state is None else self._of_buffers.get(key)
        if found is None:
            found = self._search(novelty.old, novelty.new)
            if snapshot.state is not None:
                self._of_buffers.put(key, found)
        yield found

    def _search(self, old: Rows, new: Rows) -> pa.Table:
        metrics.REPEAT_SEARCHES.labels(new.snapshot.stream.name).inc()
        binder = Binder(new.snapshot.stream)
        tree = repeated_rows(binder, old, new).limit(self._most + 1)
        found = self._engine.query(binder.statement(tree))
        place = found.schema.get_field_index(WRITER_ID.name)  # the writers of all rows are few
        return found.set_column(place, WRITER_ID.name, found.column(place).dictionary_encode()).unify_dictionaries()


def _days_with_new_files(snapshot: Snapshot) -> Iterator[_DayFiles]:
    new: dict[str | None, list[DataFile]] = defaultdict(list)
    for file in snapshot.uncompacted:
        if not file.ids_all_null:
            new[file.day].append(file)
    old: dict[str | None, list[DataFile]] = defaultdict(list)
    for file in snapshot.compacted:
        if file.day in new and not file.ids_all_null:
            old[file.day].append(file)
    for day, files in new.items():
        yield _DayFiles(day, tuple(old[day]), tuple(files))


def _searched_together(days: list[_DayFiles]) -> Iterator[list[_DayFiles]]:
    """Days that are searched together; one with many rows alone."""
    group: list[_DayFiles] = []
    for each in days:
        if group and sum(other.rows for other in (*group, each)) > _ROWS_AT_ONCE:
            yield group
            group = []
        group.append(each)
    if group:
        yield group


def _by_partition(stream: Stream, found: pa.Table) -> dict[str | None, pa.Table]:
    """The rows of each partition that has any."""
    if stream.partition is Partition.NONE:
        return {None: found} if found.num_rows else {}
    days = found.column(DAY_NUMBER)
    return {utc_day(day * DAY_US).isoformat(): found.filter(pc.equal(days, day)) for day in pc.unique(days).to_pylist()}


def _size(table: pa.Table) -> float:
    return 1 + int(table.num_rows)
