"""Queries for a snapshot's events, each once, as it was last received, wherever its rows lie."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
from sqlglot import exp

from airtally.kit.time import utc_day
from airtally.sql.capabilities import Capabilities
from airtally.sql.compiler import Binder, column
from airtally.sql.repeats import DAY_NUMBER, day_number, identified, repeated_rows
from airtally.sql.statement import Rows
from airtally.storage.lake.last_received import last_received
from airtally.storage.lake.snapshot import DataFile, Snapshot
from airtally.streams.declaration import DAY, RECEIVED_ORDER, ROW_ID, Kind, Partition, Stream

REPEATS = "repeats"

Days = tuple[date, date] | None


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
    as_received: bool = False,
) -> exp.Query:
    """A query for `columns` of the snapshot's events, duplicates left out unless `as_received`.

    Only conditions on the account, the identity and the day may be applied before it: a correction can move an
    event into or out of any other condition.
    """
    if as_received or not has_repeats(snapshot.stream):
        return _select_plain(binder, Rows.all_of(snapshot, days), columns)
    if not capabilities.file_lists:
        return _everywhere(binder, Rows.all_of(snapshot, days), columns)
    if snapshot.repeats is not None:
        return _without_known(binder, snapshot, snapshot.repeats, columns, days)
    novelty = Novelty.of(snapshot, days)
    if novelty.new.empty:
        return _select_plain(binder, novelty.plain, columns)
    repeats = repeated_rows(binder, novelty.old, novelty.new)
    left = _left(binder, novelty.touched, exp.to_table(REPEATS), columns)
    query: exp.Query = left
    if not novelty.plain.empty:
        query = exp.union(left, _select_plain(binder, novelty.plain, columns), distinct=False)
    return query.with_(REPEATS, as_=repeats, materialized=True)


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


def _select_plain(binder: Binder, rows: Rows, columns: Iterable[str]) -> exp.Select:
    return exp.select(*map(column, columns), copy=False).from_(binder.relation(rows, "rows"), copy=False)


def _without_known(
    binder: Binder, snapshot: Snapshot, repeats: Mapping[str | None, pa.Table], columns: Sequence[str], days: Days
) -> exp.Query:
    """Only the days that have repeats are read with what names a row."""
    tables = tuple(table for table in snapshot.buffered if overlaps(snapshot.stream, table, days))
    files = snapshot.compacted + snapshot.uncompacted
    if not repeats:
        return _select_plain(binder, Rows(snapshot, files, tables), columns)
    known = binder.relation(pa.concat_tables(list(repeats.values())), REPEATS)
    touched = Rows(snapshot, tuple(file for file in files if file.day in repeats), tables)
    left = _left(binder, touched, known, columns)
    rest = tuple(file for file in files if file.day not in repeats)
    return exp.union(left, _select_plain(binder, Rows(snapshot, rest, ()), columns), distinct=False) if rest else left


def _left(binder: Binder, rows: Rows, repeats: exp.Table, columns: Iterable[str]) -> exp.Select:
    """The rows that are no repeats."""
    mine = exp.select(*map(column, dict.fromkeys((*columns, *ROW_ID)))).from_(binder.relation(rows, "rows"))
    same = exp.and_(*(column(name, "mine").eq(column(name, repeats.name)) for name in ROW_ID))
    kept = exp.select(*(column(name, "mine") for name in columns)).from_(mine.subquery("mine"))
    return kept.join(repeats, on=same, join_type="anti")


def _everywhere(binder: Binder, rows: Rows, columns: Sequence[str]) -> exp.Query:
    """For engines that cannot tell compacted files from others: every row with an identity is ranked."""
    stream = rows.snapshot.stream
    names = dict.fromkeys((*columns, *stream.identity, *RECEIVED_ORDER))
    keyed = [*map(column, names), day_number(stream).as_(DAY_NUMBER, quoted=True)]
    source = exp.select(*keyed).from_(binder.relation(rows, "rows"))
    rest = exp.select(*map(column, columns)).from_(source.subquery("r")).where(exp.not_(identified(stream)))
    key = [column(name) for name in (*stream.identity, DAY_NUMBER)]
    winners = last_received(source.where(identified(stream)), key, [column(name) for name in columns])
    return exp.union(winners, rest, distinct=False)
