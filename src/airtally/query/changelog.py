"""Queries of changelogs: the current records, and all their versions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa
from sqlglot import exp

from airtally.sql.case import folded_sql
from airtally.sql.comparable import type_of
from airtally.sql.compiler import Binder, column
from airtally.sql.filters import EVERYTHING, AllOf, Equals, Filter, columns_of
from airtally.sql.statement import Rows, Statement
from airtally.storage.lake.last_received import last_received
from airtally.storage.lake.snapshot import Snapshot
from airtally.streams.declaration import RECEIVED_ORDER, Kind, Stream

VERSION_TIME, CREATE_TIME = "last_update_time_utc", "create_time_utc"
LIVE = Equals("is_deleted", 0)


@dataclass(frozen=True, slots=True)
class Order:
    """A column to sort by. Nulls come last in both directions."""

    column: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Records:
    """The current records that meet `where`; deleted ones only with `deleted`.

    In the given order, then by key; a page of `limit` rows. Raises ValueError for a column that the stream does not
    have and for a stream that is not a changelog.
    """

    stream: Stream
    account: str
    where: Filter = EVERYTHING
    order: tuple[Order | str, ...] = ()
    limit: int | None = None
    offset: int = 0
    deleted: bool = False

    def __post_init__(self) -> None:
        _check_columns(self.stream, (*columns_of(self.where), *(by.column for by in self.ordered)))

    @property
    def ordered(self) -> tuple[Order, ...]:
        """The order with the key at its end, so that pages do not overlap. A name alone sorts ascending."""
        return tuple(Order(by) if isinstance(by, str) else by for by in (*self.order, *self.stream.key))


@dataclass(frozen=True, slots=True)
class VersionsQuery:
    """Every version that meets `where`, of all keys or of those in `keys` (a table of the key columns).

    Rows with the same key and version time are one version; the last received counts.
    """

    stream: Stream
    account: str
    keys: pa.Table | None = None
    where: Filter = EVERYTHING

    def __post_init__(self) -> None:
        _check_columns(self.stream, columns_of(self.where))


def render_records(wanted: Records, snapshot: Snapshot) -> Statement:
    """The current records (`stream.row_schema`), in order."""
    binder = Binder(wanted.stream)
    ordered = (exp.Ordered(this=column(by.column), desc=by.descending, nulls_first=False) for by in wanted.ordered)
    tree = current_records(binder, wanted, snapshot, [column(name) for name in wanted.stream.row_schema.names])
    tree = tree.order_by(*ordered)
    if wanted.limit is not None:
        tree = tree.limit(int(wanted.limit)).offset(int(wanted.offset))
    return binder.statement(tree)


def render_total(wanted: Records, snapshot: Snapshot) -> Statement:
    """The number of records on all pages, as `total`."""
    binder = Binder(wanted.stream)
    total = exp.cast(exp.Count(this=exp.Literal.number(1)), "bigint").as_("total", quoted=True)
    return binder.statement(current_records(binder, wanted, snapshot, [total]))


def render_versions(wanted: VersionsQuery, snapshot: Snapshot) -> Statement:
    """The versions (`stream.row_schema`), in no order."""
    stream, binder = wanted.stream, Binder(wanted.stream)
    names = (*stream.row_schema.names, *RECEIVED_ORDER)
    stored = exp.select(*(column(name, "stored") for name in names))
    stored = stored.from_(exp.alias_(binder.relation(Rows.all_of(snapshot), "rows"), "stored", table=True))
    if wanted.keys is not None:
        asked = exp.alias_(binder.relation(wanted.keys, "keys"), "asked", table=True)
        stored = stored.join(asked, on=same_key(stream), join_type="semi")
    partition = [*(_folded(stream, name) for name in stream.key), column(VERSION_TIME)]
    tree = last_received(stored, partition, [column(name) for name in stream.row_schema.names])
    return binder.statement(tree.where(binder.condition(wanted.where)))


def current_records(
    binder: Binder, wanted: Records, snapshot: Snapshot, columns: Sequence[exp.Expr], *, once: Filter = EVERYTHING
) -> exp.Select:
    """`columns` of all the wanted records, in no order.

    `once` is a condition that some version of each wanted record meets: where few keys have one, only those are ranked.
    """
    stream = wanted.stream
    names = (*stream.row_schema.names, *RECEIVED_ORDER)

    def rows() -> exp.Select:
        relation = binder.relation(Rows.all_of(snapshot), "rows")
        return exp.select(*map(column, names)).from_(relation).where(binder.condition(_of_keys(stream, wanted.where)))

    stored = rows()
    if once != EVERYTHING:
        met = rows().where(binder.condition(once)).subquery("once")
        stored = exp.select("stored.*").from_(stored.subquery("stored"))
        stored = stored.join(met, on=same_key(stream, "once"), join_type="semi")
    partition = [_folded(stream, name) for name in stream.key]
    tree = last_received(stored, partition, columns, first_by=(VERSION_TIME,)).where(binder.condition(wanted.where))
    return tree if wanted.deleted else tree.where(binder.condition(LIVE))


def same_key(stream: Stream, other: str = "asked") -> exp.Expr:
    """Whether a row of the table `stored` has the key of one of the table `other`."""
    return exp.and_(
        *(
            exp.NullSafeEQ(this=_folded(stream, name, "stored"), expression=_folded(stream, name, other))
            for name in stream.key
        )
    )


def _folded(stream: Stream, name: str, table: str | None = None) -> exp.Expr:
    found = column(name, table)
    return folded_sql(found) if stream.by_name[name].fold_case else found


def _of_keys(stream: Stream, condition: Filter) -> Filter:
    """The part of a condition that depends on the key alone, so that it can be applied before versions are ranked."""
    parts = condition.filters if isinstance(condition, AllOf) else (condition,)
    exact = {name for name in stream.key if not stream.by_name[name].fold_case}
    return AllOf(tuple(part for part in parts if set(columns_of(part)) <= exact))


def _check_columns(stream: Stream, names: Iterable[str]) -> None:
    if stream.kind is not Kind.CHANGELOG:
        raise ValueError(f"stream {stream.name} has no versions: it is not a changelog")
    for name in names:
        type_of(stream, name)
