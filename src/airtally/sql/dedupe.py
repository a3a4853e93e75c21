"""Queries for a snapshot's events, each once, as it was last received, wherever its rows lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
from sqlglot import exp

from airtally.kit.time import DAY_US, day_start_us, utc_day
from airtally.sql.capabilities import Capabilities
from airtally.sql.compiler import Binder, column
from airtally.sql.filters import Between
from airtally.sql.repeats import DAY_NUMBER, day_number, identified, repeated_rows
from airtally.sql.statement import Rows
from airtally.storage.lake.last_received import last_received
from airtally.storage.lake.snapshot import DataFile, Snapshot
from airtally.streams.declaration import DAY, RECEIVED_ORDER, ROW_ID, Kind, Partition, Stream

REPEATS = "repeats"

Days = tuple[date, date] | None


@dataclass(frozen=True, slots=True)
class EventTimes:
    """[start_us, end_us); None is open."""

    start_us: int | None
    end_us: int | None

    def holds(self, start_us: int, end_us: int) -> bool:
        """Whether all of another interval is in it."""
        after = self.start_us is None or self.start_us <= start_us
        return after and (self.end_us is None or end_us <= self.end_us)


def days_of(stream: Stream, start_us: int | None, end_us: int | None) -> Days:
    """The partitions that hold the events of [start_us, end_us), where both ends are given."""
    if start_us is None or end_us is None or stream.partition is not Partition.EVENT_DAY:
        return None
    return utc_day(start_us), utc_day(max(start_us, end_us - 1))


def events(
    binder: Binder,
    snapshot: Snapshot,
    columns: Sequence[str],
    capabilities: Capabilities,
    *,
    days: Days = None,
    within: EventTimes | None = None,
    as_received: bool = False,
) -> exp.Query:
    """A query for `columns` of the snapshot's events, duplicates left out unless `as_received`.

    All events of `days`; those alone whose time is `within` bounds, where they are given. Other conditions may not be
    applied before it, but for those on the account and the identity: a correction can move an event into or out of any.
    """
    if within is not None:
        days = days_of(snapshot.stream, within.start_us, within.end_us)
    wanted = _Wanted(binder, snapshot.stream, columns, within)
    if not capabilities.file_lists:
        once = not as_received and has_repeats(snapshot.stream)
        return wanted.ranked(Rows.all_of(snapshot, days)) if once else wanted.of_table(Rows.all_of(snapshot, days))
    if as_received or not has_repeats(snapshot.stream):
        return _all_of(wanted.rows(_of_days(snapshot, days)))
    if snapshot.repeats is not None:
        return _without_known(wanted, _of_days(snapshot, days), snapshot.repeats)
    novelty = Novelty.of(snapshot, days)
    if novelty.new.empty:
        return _all_of(wanted.rows(novelty.plain))
    repeats = repeated_rows(binder, novelty.old, novelty.new)
    selects = wanted.rows(novelty.touched, without=exp.to_table(REPEATS))
    if not novelty.plain.empty:
        selects += wanted.rows(novelty.plain)
    return _all_of(selects).with_(REPEATS, as_=repeats, materialized=True)


def has_repeats(stream: Stream) -> bool:
    """Whether rows of a stream can be the same event."""
    return stream.kind is Kind.EVENT and bool(stream.identity)


@dataclass(frozen=True, slots=True)
class Novelty:
    """The rows of a snapshot by what is known of them.

    `new` rows may be repeats of each other and of `old` ones, which are the compacted files of the same days; `plain`
    rows can be no repeats.
    """

    old: Rows
    new: Rows
    plain: Rows

    @classmethod
    def of(cls, snapshot: Snapshot, days: Days) -> Novelty:
        stream = snapshot.stream
        buffered = tuple(table for table in snapshot.buffered if overlaps(stream, table, days))
        files = tuple(file for file in snapshot.uncompacted if not file.ids_all_null)
        tables = tuple(table for table in buffered if can_hold_repeats(stream, table))
        touched = {file.day for file in files}.union(*(days_in(stream, table) for table in tables))

        def is_old(file: DataFile) -> bool:
            return file.day in touched and not file.ids_all_null

        beside = tuple(file for file in snapshot.uncompacted if file.ids_all_null)
        return cls(
            Rows(snapshot, tuple(filter(is_old, snapshot.compacted)), ()),
            Rows(snapshot, files, tables),
            Rows(
                snapshot,
                tuple(file for file in snapshot.compacted if not is_old(file)) + beside,
                tuple(table for table in buffered if not can_hold_repeats(stream, table)),
            ),
        )

    @property
    def touched(self) -> Rows:
        """`old` and `new` rows."""
        return Rows(self.new.snapshot, self.old.files + self.new.files, self.new.buffered)


def days_in(stream: Stream, table: pa.Table) -> set[str | None]:
    """The partitions of a buffered table's rows, as files name theirs."""
    if stream.partition is Partition.NONE:
        return {None}
    return {day.isoformat() for day in table[DAY.name].unique().to_pylist()}


def overlaps(stream: Stream, table: pa.Table, days: Days) -> bool:
    if days is None:
        return True
    first, last = (day.isoformat() for day in days)
    return any(day is None or first <= day <= last for day in days_in(stream, table))


def can_hold_repeats(stream: Stream, table: pa.Table) -> bool:
    return table.num_rows > 0 and all(table.column(name).null_count < table.num_rows for name in stream.identity)


def _of_days(snapshot: Snapshot, days: Days) -> Rows:
    tables = tuple(table for table in snapshot.buffered if overlaps(snapshot.stream, table, days))
    return Rows(snapshot, snapshot.compacted + snapshot.uncompacted, tables)


def _without_known(wanted: _Wanted, rows: Rows, repeats: Mapping[str | None, pa.Table]) -> exp.Query:
    """Only the days that have repeats are read with what names a row."""
    if not repeats:
        return _all_of(wanted.rows(rows))
    known = wanted.binder.relation(pa.concat_tables(list(repeats.values())), REPEATS)
    touched = Rows(rows.snapshot, tuple(file for file in rows.files if file.day in repeats), rows.buffered)
    rest = Rows(rows.snapshot, tuple(file for file in rows.files if file.day not in repeats), ())
    selects = wanted.rows(touched, without=known)
    return _all_of(selects if rest.empty else selects + wanted.rows(rest))


def _all_of(selects: Sequence[exp.Query]) -> exp.Query:
    return selects[0] if len(selects) == 1 else exp.union(*selects, distinct=False)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is wanted of each event: `columns`, and a time `within` bounds where they are given."""

    binder: Binder
    stream: Stream
    columns: Sequence[str]
    within: EventTimes | None

    def rows(self, rows: Rows, without: exp.Table | None = None) -> list[exp.Select]:
        """Of exactly these rows, those in table `without` left out; times are looked at where they may be beyond.

        To read a time and to compare it takes a third of the time of a count by three columns.
        """
        inside: list[DataFile] = []
        beyond: list[DataFile] = []
        for file in rows.files:
            (inside if self._is_inside(file) else beyond).append(file)
        rest = Rows(rows.snapshot, tuple(beyond), rows.buffered)
        found = [self._select(Rows(rows.snapshot, tuple(inside), ()), without)] if inside else []
        if not rest.empty or not found:
            found.append(self._timely(self._select(rest, without)))
        return found

    def of_table(self, rows: Rows) -> exp.Select:
        """For engines that read the whole table."""
        return self._timely(self._select(rows))

    def ranked(self, rows: Rows) -> exp.Query:
        """For engines that read the whole table, so that compacted files cannot be told from others.

        Every row with an identity is ranked.
        """
        names = dict.fromkeys((*self.columns, self.stream.time, *self.stream.identity, *RECEIVED_ORDER))
        keyed = [*map(column, names), day_number(self.stream).as_(DAY_NUMBER, quoted=True)]
        source = exp.select(*keyed).from_(self.binder.relation(rows, "rows"))
        shown = [column(name) for name in dict.fromkeys((*self.columns, self.stream.time))]
        rest = exp.select(*shown).from_(source.subquery("r")).where(exp.not_(identified(self.stream)))
        key = [column(name) for name in (*self.stream.identity, DAY_NUMBER)]
        winners = last_received(source.where(identified(self.stream)), key, shown)
        events_once = exp.union(winners, rest, distinct=False).subquery("once")
        return self._timely(exp.select(*map(column, self.columns)).from_(events_once))

    def _is_inside(self, file: DataFile) -> bool:
        """Whether all events of a file have a wanted time: those of its day, where files have one day each."""
        if self.within is None:
            return True
        if file.day is None or self.stream.partition is not Partition.EVENT_DAY:
            return False
        first_us = day_start_us(date.fromisoformat(file.day))
        return self.within.holds(first_us, first_us + DAY_US)

    def _select(self, rows: Rows, without: exp.Table | None = None) -> exp.Select:
        source = self.binder.relation(rows, "rows")
        if without is None:
            return exp.select(*map(column, self.columns), copy=False).from_(source, copy=False)
        mine = exp.select(*map(column, dict.fromkeys((*self.columns, self.stream.time, *ROW_ID)))).from_(source)
        same = exp.and_(*(column(name, "mine").eq(column(name, without.name)) for name in ROW_ID))
        kept = exp.select(*(column(name, "mine") for name in self.columns)).from_(mine.subquery("mine"))
        return kept.join(without, on=same, join_type="anti")

    def _timely(self, query: exp.Select) -> exp.Select:
        if self.within is None:
            return query
        between = Between(self.stream.time, self.within.start_us, self.within.end_us)
        return query.where(self.binder.condition(between), copy=False)
