"""Queries for a snapshot's events, each once, as it was last received, wherever its rows lie."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
from sqlglot import exp

from airtally.kit.time import DAY_US, utc_day
from airtally.sql.capabilities import Capabilities
from airtally.sql.compiler import Binder, column
from airtally.sql.statement import Rows
from airtally.storage.lake.last_received import last_received
from airtally.storage.lake.snapshot import Snapshot
from airtally.streams.declaration import DAY, RECEIVED_ORDER, Kind, Partition, Stream

DAY_NUMBER = "_day"
ARRIVED = "arrived"

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
    return bound_events(binder, snapshot, capabilities, days=days, as_received=as_received).select(columns)


@dataclass(frozen=True, slots=True)
class BoundEvents:
    """A snapshot's events, whose relations are bound already; those of one `shape` are read by the same query.

    `rows` are taken as they are; where there are `new` rows, these are ranked with those of `compacted` that have the
    same keys. `everywhere`: every row with an identity is ranked.
    """

    stream: Stream
    rows: exp.Table | None
    new: exp.Table | None = None
    compacted: exp.Table | None = None
    everywhere: bool = False

    @property
    def shape(self) -> tuple[bool, ...]:
        return self.rows is None, self.new is None, self.compacted is None, self.everywhere

    def select(self, columns: Sequence[str]) -> exp.Query:
        """The query for some columns. To be called once: the relations become part of it."""
        if self.new is not None:
            return _merged(self, self.new, columns)
        assert self.rows is not None  # noqa: S101 (without new rows there are these)
        if self.everywhere:
            return _everywhere(self.stream, self.rows, columns)
        return _select_plain(self.rows, columns)


def bound_events(
    binder: Binder, snapshot: Snapshot, capabilities: Capabilities, *, days: Days = None, as_received: bool = False
) -> BoundEvents:
    """The events of `events`, before their query is built."""
    stream = snapshot.stream
    if stream.kind is not Kind.EVENT or not stream.identity or as_received:
        return BoundEvents(stream, binder.relation(Rows.all_of(snapshot, days), "rows"))
    if not capabilities.file_lists:
        return BoundEvents(stream, binder.relation(Rows.all_of(snapshot, days), "rows"), everywhere=True)
    compacted, plain, new = _split_by_novelty(snapshot, days)
    if new.empty:
        return BoundEvents(stream, binder.relation(plain, "rows"))
    return BoundEvents(
        stream,
        new=binder.relation(new, "new"),
        compacted=None if compacted.empty else binder.relation(compacted, "compacted"),
        rows=None if plain.empty else binder.relation(plain, "rows"),
    )


def _split_by_novelty(snapshot: Snapshot, days: Days) -> tuple[Rows, Rows, Rows]:
    """Compacted files of the days that new rows fall on; rows that cannot be duplicates; the new rows."""
    stream = snapshot.stream
    buffered = tuple(table for table in snapshot.buffered if _overlaps(stream, table, days))
    files = tuple(file for file in snapshot.uncompacted if not file.ids_all_null)
    tables = tuple(table for table in buffered if _can_hold_duplicates(stream, table))
    touched = {file.day for file in files}.union(*(_days_in(stream, table) for table in tables))
    beside = tuple(file for file in snapshot.uncompacted if file.ids_all_null)
    return (
        Rows(snapshot, tuple(file for file in snapshot.compacted if file.day in touched), ()),
        Rows(
            snapshot,
            tuple(file for file in snapshot.compacted if file.day not in touched) + beside,
            tuple(table for table in buffered if not _can_hold_duplicates(stream, table)),
        ),
        Rows(snapshot, files, tables),
    )


def _days_in(stream: Stream, table: pa.Table) -> set[str | None]:
    """The partitions of a buffered table's rows, as files name theirs."""
    if stream.partition is Partition.NONE:
        return {None}
    return {day.isoformat() for day in table[DAY.name].unique().to_pylist()}


def _overlaps(stream: Stream, table: pa.Table, days: Days) -> bool:
    if days is None:
        return True
    first, last = (day.isoformat() for day in days)
    return any(day is None or first <= day <= last for day in _days_in(stream, table))


def _can_hold_duplicates(stream: Stream, table: pa.Table) -> bool:
    return table.num_rows > 0 and all(table.column(name).null_count < table.num_rows for name in stream.identity)


def _select_plain(rows: exp.Table, columns: Iterable[str]) -> exp.Select:
    return exp.select(*map(column, columns), copy=False).from_(rows, copy=False)


def _everywhere(stream: Stream, rows: exp.Table, columns: Sequence[str]) -> exp.Query:
    """For engines that cannot tell compacted files from others: every row with an identity is ranked."""
    source = exp.select(*_keyed(stream, columns)).from_(rows)
    rest = exp.select(*map(column, columns)).from_(source.subquery("r")).where(exp.not_(_identified(stream)))
    return exp.union(_winners(source.where(_identified(stream)), stream, columns), rest, distinct=False)


def _merged(bound: BoundEvents, new: exp.Table, columns: Sequence[str]) -> exp.Query:
    """Rows of compacted files are ranked only where a new row has their key; the others are taken as they are."""
    stream = bound.stream
    arrived = exp.select(*_keyed(stream, columns)).from_(new)
    ranked: exp.Query = exp.select("*").from_(ARRIVED).where(_identified(stream))
    branches: list[exp.Query] = [exp.select(*map(column, columns)).from_(ARRIVED).where(exp.not_(_identified(stream)))]
    if bound.compacted is not None:
        old = exp.select(*_keyed(stream, columns)).from_(bound.compacted).subquery("old")
        ranked = exp.union(ranked, _matched(exp.select("old.*").from_(old.copy()), stream, "semi"), distinct=False)
        passing = exp.select(*(column(name, "old") for name in columns)).from_(old)
        branches.append(_matched(passing, stream, "anti"))
    if bound.rows is not None:
        branches.append(_select_plain(bound.rows, columns))
    branches.append(_winners(ranked, stream, columns))
    return exp.union(*branches, distinct=False).with_(ARRIVED, as_=arrived, materialized=True)


def _keyed(stream: Stream, columns: Iterable[str]) -> list[exp.Expr]:
    """The wanted columns and those that duplicates are found and ranked by."""
    names = dict.fromkeys((*columns, *stream.identity, *RECEIVED_ORDER))
    day = exp.IntDiv(this=exp.UnixMicros(this=column(stream.time)), expression=exp.Literal.number(DAY_US))
    return [*map(column, names), day.as_(DAY_NUMBER, quoted=True)]


def _identified(stream: Stream) -> exp.Expr:
    return exp.and_(*(exp.not_(column(name).is_(exp.null())) for name in stream.identity))


def _matched(query: exp.Select, stream: Stream, kind: str) -> exp.Select:
    """Rows of `old` with (`semi`) or without (`anti`) an arrived row of the same key."""
    same = exp.and_(*(column(name, "old").eq(column(name, ARRIVED)) for name in (*stream.identity, DAY_NUMBER)))
    return query.join(exp.to_table(ARRIVED), on=same, join_type=kind)


def _winners(ranked: exp.Query, stream: Stream, columns: Iterable[str]) -> exp.Select:
    """The last received of each key."""
    key = [column(name) for name in (*stream.identity, DAY_NUMBER)]
    return last_received(ranked, key, [column(name) for name in columns])
