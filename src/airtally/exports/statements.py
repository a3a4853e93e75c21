"""The statements that read the rows of an export, in the order of its files."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from airtally.exports.cells import LINE, line_of
from airtally.exports.spec import ExportFormat
from airtally.exports.wanted import WantedRows
from airtally.kit.time import DAY_US
from airtally.query.changelog import VERSION_TIME, Records, VersionsQuery, current_records, render_versions
from airtally.sql.capabilities import Capabilities
from airtally.sql.compiler import Binder, column, micros
from airtally.sql.dedupe import EventTimes, events
from airtally.sql.filters import AllOf, Between, Filter, columns_of
from airtally.sql.statement import Rows, Statement
from airtally.storage.lake.snapshot import Snapshot
from airtally.streams.declaration import Stream, Type


def rows_statement(
    wanted: WantedRows, snapshot: Snapshot, capabilities: Capabilities, form: ExportFormat, *, skip: int = 0
) -> Statement:
    """One column of lines, or the columns themselves for Parquet.

    Events come in no order; records in the order of their key, versions in that of key and time, of which `skip` are
    left out at the beginning.
    """
    binder = Binder(wanted.stream)
    source = _source(binder, wanted, snapshot, capabilities).subquery("chosen")
    tree = exp.select(*_shown(wanted, form)).from_(source)
    if not wanted.is_events:
        names = (*wanted.stream.key, *([VERSION_TIME] if wanted.versions else []))
        tree = tree.order_by(*(exp.Ordered(this=column(name), nulls_first=False) for name in names))
        tree = tree.offset(int(skip)) if skip else tree
    return binder.statement(tree)


def counts_statement(wanted: WantedRows, snapshot: Snapshot) -> Statement:
    """How many rows each UTC day has in the account's files, repeats of events too: `day` since 1970 and `rows`."""
    binder = Binder(wanted.stream)
    day = exp.IntDiv(this=micros(wanted.stream.time), expression=exp.Literal.number(DAY_US)).as_("day", quoted=True)
    count = exp.cast(exp.Count(this=exp.Star()), "bigint").as_("rows", quoted=True)
    tree = exp.select(day, count).from_(binder.relation(Rows.all_of(snapshot), "rows"))
    return binder.statement(tree.group_by(exp.Literal.number(1)))


def _shown(wanted: WantedRows, form: ExportFormat) -> Sequence[exp.Expr]:
    if form is ExportFormat.PARQUET:
        return [_stored(wanted.stream, name) for name in wanted.columns]
    return [line_of(wanted.stream, wanted.columns, form).as_(LINE, quoted=True)]


def _stored(stream: Stream, name: str) -> exp.Expr:
    """The column; a local time without the zone that it is stored with."""
    if stream.by_name[name].type is not Type.LOCAL_TIME:
        return column(name)
    return exp.Anonymous(this="MAKE_TIMESTAMP", expressions=[micros(name)]).as_(name, quoted=True)


def _source(binder: Binder, wanted: WantedRows, snapshot: Snapshot, capabilities: Capabilities) -> exp.Query:
    stream = wanted.stream
    if wanted.is_events:
        read = tuple(dict.fromkeys((stream.time, *wanted.columns, *columns_of(wanted.where))))
        within = EventTimes(wanted.start_us, wanted.end_us)
        found = events(binder, snapshot, read, capabilities, within=within).subquery("events")
        chosen = exp.select(*map(column, wanted.columns)).from_(found)
        return chosen.where(binder.condition(wanted.where))
    condition: Filter = AllOf((wanted.where, Between(VERSION_TIME, wanted.start_us, wanted.end_us)))
    if wanted.versions:
        whole = render_versions(VersionsQuery(stream, wanted.account, where=condition), snapshot)
        binder.parameters.update(whole.parameters)
        binder.relations.update(whole.relations)
        return whole.tree
    records = Records(stream, wanted.account, condition, deleted=wanted.deleted)
    names = dict.fromkeys((*wanted.columns, *stream.key))
    return current_records(binder, records, snapshot, [column(name) for name in names])
