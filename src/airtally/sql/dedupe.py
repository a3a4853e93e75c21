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
from airtally.storage.lake.snapshot import AccountsSnapshot, Snapshot
from airtally.streams.declaration import ACCOUNT, DAY, RECEIVED_ORDER, Kind, Partition, Stream

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
    stream = snapshot.stream
    if stream.kind is not Kind.EVENT or not stream.identity or as_received:
        return _select_plain(binder, Rows.all_of(snapshot, days), columns)
    if not capabilities.file_lists:
        return _everywhere(binder, Rows.all_of(snapshot, days), columns)
    compacted, plain, new = _split_by_novelty(snapshot, days)
    if new.empty:
        return _select_plain(binder, plain, columns)
    return _merged(binder, compacted, plain, new, columns)


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


def _select_plain(binder: Binder, rows: Rows, columns: Iterable[str]) -> exp.Select:
    return exp.select(*map(column, columns), copy=False).from_(binder.relation(rows, "rows"), copy=False)


def _everywhere(binder: Binder, rows: Rows, columns: Sequence[str]) -> exp.Query:
    """For engines that cannot tell compacted files from others: every row with an identity is ranked."""
    key = _EventKey.of(rows.snapshot)
    source = exp.select(*key.with_columns(columns)).from_(binder.relation(rows, "rows"))
    rest = exp.select(*map(column, columns)).from_(source.subquery("r")).where(exp.not_(key.is_given()))
    return exp.union(key.winners(source.where(key.is_given()), columns), rest, distinct=False)


def _merged(binder: Binder, compacted: Rows, plain: Rows, new: Rows, columns: Sequence[str]) -> exp.Query:
    """Rows of compacted files are ranked only where a new row has their key; the others are taken as they are."""
    key = _EventKey.of(new.snapshot)
    arrived = exp.select(*key.with_columns(columns)).from_(binder.relation(new, "new"))
    ranked: exp.Query = exp.select("*").from_(ARRIVED).where(key.is_given())
    branches: list[exp.Query] = [exp.select(*map(column, columns)).from_(ARRIVED).where(exp.not_(key.is_given()))]
    if not compacted.empty:
        old = exp.select(*key.with_columns(columns)).from_(binder.relation(compacted, "compacted")).subquery("old")
        ranked = exp.union(ranked, key.matched(exp.select("old.*").from_(old.copy()), "semi"), distinct=False)
        passing = exp.select(*(column(name, "old") for name in columns)).from_(old)
        branches.append(key.matched(passing, "anti"))
    if not plain.empty:
        branches.append(_select_plain(binder, plain, columns))
    branches.append(key.winners(ranked, columns))
    return exp.union(*branches, distinct=False).with_(ARRIVED, as_=arrived, materialized=True)


@dataclass(frozen=True, slots=True)
class _EventKey:
    """What tells one event from another: the identity and the day, and the account where there are several."""

    stream: Stream
    names: tuple[str, ...]

    @classmethod
    def of(cls, snapshot: Snapshot) -> _EventKey:
        several = (ACCOUNT.name,) if isinstance(snapshot, AccountsSnapshot) else ()
        return cls(snapshot.stream, (*several, *snapshot.stream.identity))

    def with_columns(self, columns: Iterable[str]) -> list[exp.Expr]:
        """The wanted columns and those that duplicates are found and ranked by."""
        names = dict.fromkeys((*columns, *self.names, *RECEIVED_ORDER))
        at = exp.UnixMicros(this=column(self.stream.time))
        day = exp.IntDiv(this=at, expression=exp.Literal.number(DAY_US))
        return [*map(column, names), day.as_(DAY_NUMBER, quoted=True)]

    def is_given(self) -> exp.Expr:
        return exp.and_(*(exp.not_(column(name).is_(exp.null())) for name in self.stream.identity))

    def matched(self, query: exp.Select, kind: str) -> exp.Select:
        """Rows of `old` with (`semi`) or without (`anti`) an arrived row of the same key."""
        same = exp.and_(*(column(name, "old").eq(column(name, ARRIVED)) for name in (*self.names, DAY_NUMBER)))
        return query.join(exp.to_table(ARRIVED), on=same, join_type=kind)

    def winners(self, ranked: exp.Query, columns: Iterable[str]) -> exp.Select:
        """The last received of each key."""
        key = [column(name) for name in (*self.names, DAY_NUMBER)]
        return last_received(ranked, key, [column(name) for name in columns])
