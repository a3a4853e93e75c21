"""Reads what an export is to hold: rows by columns, filter and range, a question, or a statement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from airtally.accounts.accounts import Account
from airtally.api.query.body import QueryBody, in_words
from airtally.api.query.conditions import Conditions, check_direction, time_value
from airtally.api.query.plan import planned
from airtally.exports.spec import AskedRows, ExportSpec
from airtally.exports.wanted import FigureColumn, FigureKind, Wanted, WantedFigures, WantedRows, WantedStatement
from airtally.kit.errors import NotFound, Unprocessable
from airtally.kit.zones import named_zone
from airtally.query.changelog import VERSION_TIME
from airtally.query.ranges import RangeClock, parse_range
from airtally.query.sql_tables import SQL_TABLES
from airtally.sql.dsl.statement import checked
from airtally.streams import STREAMS
from airtally.streams.declaration import Kind, Stream, Type

#: Fields of a question that belong to an answer in pages, or to its comparison.
_NOT_IN_FILES = ("cursor", "format", "compare")


class ReadSpecs:
    """The planner of the program. It has no state."""

    def plan(self, spec: ExportSpec, account: Account, as_of_us: int) -> Wanted:
        """Raises NotFound for an unknown stream, Unprocessable or StatementRefused for what cannot be asked."""
        if spec.rows is not None:
            return wanted_rows(spec.rows, account, as_of_us)
        if spec.sql is not None:
            return WantedStatement(account.slug, checked(spec.sql, SQL_TABLES.keys()), as_of_us)
        return wanted_figures(spec.query or {}, account, as_of_us)


def wanted_figures(query: dict[str, object], account: Account, as_of_us: int) -> WantedFigures:
    try:
        asked = msgspec.convert(query, QueryBody)
    except (msgspec.ValidationError, RecursionError) as error:
        raise Unprocessable(in_words("is invalid", error)) from None
    given = [name for name in _NOT_IN_FILES if getattr(asked, name) is not None]
    if given:
        raise Unprocessable(f"The query of an export has no `{given[0]}`")
    plan = planned(asked, account, as_of_us)
    page = plan.question.page
    assert page is not None  # noqa: S101 (a planned question has one)
    question = replace(plan.question, most_rows=None, page=replace(page, last=True))
    columns = tuple(FigureColumn(each.name, each.source, FigureKind(each.kind)) for each in plan.columns)
    return WantedFigures(question, columns, plan.zone, plan.local)


def wanted_rows(asked: AskedRows, account: Account, as_of_us: int) -> WantedRows:
    stream = STREAMS.get(asked.stream)
    if stream is None:
        raise NotFound(f"There is no stream {asked.stream[:64]!r}", hint="The streams are: " + ", ".join(STREAMS))
    try:
        return _wanted_rows(asked, stream, account, as_of_us)
    except (ValueError, OverflowError) as error:
        raise Unprocessable(in_words("is invalid", error)) from None


def _wanted_rows(asked: AskedRows, stream: Stream, account: Account, as_of_us: int) -> WantedRows:
    if stream.kind is Kind.EVENT and (asked.versions or asked.deleted):
        raise ValueError(f"stream {stream.name} is no changelog: its rows have no versions and are never deleted")
    if asked.versions and asked.deleted:
        raise ValueError("`versions` are all of them, deletions too: `deleted` is for records as they are now")
    start_us, end_us = _interval(asked, stream, account, as_of_us)
    return WantedRows(
        stream,
        account.slug,
        _columns(stream, asked.columns),
        Conditions(stream).read(asked.filter),
        start_us,
        end_us,
        asked.versions,
        asked.deleted,
    )


def _columns(stream: Stream, names: Sequence[str] | None) -> tuple[str, ...]:
    if names is None:
        return tuple(stream.row_schema.names)
    if not names or len(set(names)) < len(names):
        raise ValueError("`columns` names at least one column, and each once")
    for name in names:
        if name not in stream.by_name:
            raise ValueError(f"stream {stream.name} has no column {name[:64]!r}")
    return tuple(names)


def _interval(asked: AskedRows, stream: Stream, account: Account, as_of_us: int) -> tuple[int | None, int | None]:
    """Of the events' times, or of the versions'."""
    time = stream.column(stream.time if stream.kind is Kind.EVENT else VERSION_TIME)
    if asked.range is None:
        start_us, end_us = (None if text is None else time_value(time.type, text) for text in (asked.start, asked.end))
        if start_us is not None and end_us is not None:
            check_direction(start_us, end_us)
        return start_us, end_us
    if asked.start is not None or asked.end is not None:
        raise ValueError("an interval is given as `range`, or as `start` and `end`")
    zone = account.zone if asked.timezone is None else named_zone(asked.timezone)
    found = parse_range(asked.range, RangeClock(as_of_us, zone, local=time.type is Type.LOCAL_TIME))
    return found.start_us, found.end_us
