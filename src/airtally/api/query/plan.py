"""A body as the question that the program answers, with what its answer's columns are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from zoneinfo import ZoneInfo

from airtally.accounts.accounts import Account
from airtally.api.query import limits
from airtally.api.query.body import AskedFunction, AskedMetric, Compared, QueryBody, check_sizes, in_words, read_metric
from airtally.api.query.conditions import Conditions, check_direction, subject_of, time_value
from airtally.api.query.cursor import Cursor, checked_keys, decode_cursor
from airtally.kit.errors import NotFound, Unprocessable
from airtally.kit.paging import SortKey
from airtally.kit.time import to_datetime
from airtally.kit.zones import named_zone
from airtally.query.buckets import Bucket
from airtally.query.page import READ, AnswerPage, KeyValue, Ratio
from airtally.query.question import BUCKET, Dimension, Function, Metric, Question
from airtally.query.ranges import RangeClock, TimeRange, parse_range, previous_period, previous_year, range_of_ends
from airtally.sql.comparable import type_of
from airtally.sql.filters import EVERYTHING, IsNull, Member, Not, Subject
from airtally.streams import STREAMS
from airtally.streams.declaration import Kind, Stream, Type

#: The column of an answer with a `grain` that says when each interval begins.
TIME = "time"
PREVIOUS = "_previous"

_NUMBERS = frozenset({Type.INT64, Type.DOUBLE, Type.DECIMAL})
_UNITS = {Type.DECIMAL: "micros", Type.TIME: "microseconds since 1970", Type.LOCAL_TIME: "microseconds since 1970"}


class ColumnRole(Enum):
    """What a column of an answer is: what rows are grouped by, a figure, or that figure of the earlier interval."""

    GROUP = auto()
    FIGURE = auto()
    PREVIOUS = auto()


@dataclass(frozen=True, slots=True)
class AnswerColumn:
    """`kind` is integer, number, text or time. `source` is the name in the question's answer."""

    name: str
    kind: str
    source: str
    unit: str | None = None
    role: ColumnRole = ColumnRole.GROUP


@dataclass(frozen=True, slots=True)
class PlannedQuery:
    """`earlier` is the same question of the interval that is compared with; then `question` asks for the whole answer.

    `order`, `limit` and `after`, the keys of the row before the page, are of what the caller gets.
    """

    asked: QueryBody
    question: Question
    columns: tuple[AnswerColumn, ...]
    order: tuple[SortKey, ...]
    limit: int | None
    zone: ZoneInfo
    local: bool
    earlier: Question | None = None
    after: tuple[KeyValue, ...] | None = None

    @property
    def distinct(self) -> frozenset[str]:
        """The names of distinct counts, in the question's answer."""
        return frozenset(each.name for each in self.question.metrics if each.function is Function.DISTINCT)

    def time_text(self, at_us: int) -> str:
        """RFC 3339, with the offset that the zone has then; a local time without one."""
        at = to_datetime(at_us)
        return at.replace(tzinfo=None).isoformat() if self.local else at.astimezone(self.zone).isoformat()


def planned(asked: QueryBody, account: Account, now_us: int) -> PlannedQuery:
    """Raises NotFound for an unknown stream, Unprocessable for what cannot be asked."""
    stream = STREAMS.get(asked.stream)
    if stream is None:
        raise NotFound(f"There is no stream {asked.stream[:64]!r}", hint="The streams are: " + ", ".join(STREAMS))
    check_sizes(asked)
    try:
        return _Planner(asked, stream, account, now_us).plan()
    except (ValueError, OverflowError) as error:
        raise Unprocessable(in_words("is invalid", error)) from None


class _Planner:
    def __init__(self, asked: QueryBody, stream: Stream, account: Account, now_us: int) -> None:
        self._asked, self._stream, self._account = asked, stream, account
        self._zone = account.zone if asked.timezone is None else named_zone(asked.timezone)
        self._local = stream.column(stream.time).type is Type.LOCAL_TIME
        self._clock = RangeClock(now_us, self._zone, local=self._local)
        self._cursor = None if asked.cursor is None else decode_cursor(asked.cursor, asked)

    def plan(self) -> PlannedQuery:
        asked = self._asked
        metrics = [read_metric(each) for each in asked.metrics]
        dimensions = tuple(Dimension(subject_of(self._stream, name)) for name in asked.dimensions)
        groups = self._group_columns(dimensions)
        figures = [self._figure_column(each) for each in metrics]
        columns = (*groups, *figures, *self._columns_before(figures))
        _check_names(columns)
        order = _order_of(asked.order, columns, groups)
        after = self._after(columns, order)
        interval = self._interval(self._cursor)
        page = self._page((*groups, *figures), order, metrics, after)
        question = Question(
            self._stream,
            self._account.slug,
            metrics=tuple(part for each in metrics for part in self._metric(each)),
            dimensions=dimensions,
            where=Conditions(self._stream).read(asked.filter),
            start_us=interval.start_us if interval else self._end(asked.start),
            end_us=interval.end_us if interval else self._end(asked.end),
            zone=self._zone,
            bucket=self._bucket,
            most_rows=limits.MAX_ROWS,
            page=page,
            exact_distinct_rows=limits.EXACT_DISTINCT_ROWS,
        )
        earlier = self._earlier(question, interval)
        return PlannedQuery(asked, question, columns, order, self._limit, self._zone, self._local, earlier, after)

    @property
    def _bucket(self) -> Bucket:
        if self._asked.grain is not None and self._asked.bucket is not Bucket.NONE:
            raise ValueError("`bucket` is the earlier name of `grain`: give one of them")
        return self._asked.bucket if self._asked.grain is None else self._asked.grain.bucket

    @property
    def _limit(self) -> int | None:
        limit = self._asked.limit
        if limit is not None and not 1 <= limit <= limits.MAX_ROWS:
            raise ValueError(f"`limit` is 1 to {limits.MAX_ROWS}, not {limit}")
        return limit

    def _interval(self, cursor: Cursor | None) -> TimeRange | None:
        """None where an end is open."""
        asked = self._asked
        if asked.range is not None:
            if asked.start is not None or asked.end is not None:
                raise ValueError("an interval is given as `range`, or as `start` and `end`")
            found = parse_range(asked.range, self._clock)
            if cursor is None or cursor.start_us is None or cursor.end_us is None:
                return found
            return replace(found, start_us=cursor.start_us, end_us=cursor.end_us)
        start_us, end_us = self._end(asked.start), self._end(asked.end)
        if start_us is None or end_us is None:
            return None
        check_direction(start_us, end_us)
        return TimeRange(start_us, end_us) if asked.compare is None else range_of_ends(start_us, end_us, self._clock)

    def _end(self, text: str | None) -> int | None:
        """Of the interval that is asked for."""
        return None if text is None else time_value(self._stream.column(self._stream.time).type, text)

    def _group_columns(self, dimensions: Sequence[Dimension]) -> tuple[AnswerColumn, ...]:
        found = [self._dimension_column(each) for each in dimensions]
        if self._bucket is not Bucket.NONE:
            first = AnswerColumn(BUCKET, "integer", BUCKET, _UNITS[Type.TIME])
            found.insert(0, first if self._asked.grain is None else AnswerColumn(TIME, "time", BUCKET))
        return tuple(found)

    def _dimension_column(self, dimension: Dimension) -> AnswerColumn:
        kind = type_of(self._stream, dimension.column)
        shown = {Type.TEXT: "text", Type.JSON: "text", Type.DOUBLE: "number"}.get(kind, "integer")
        return AnswerColumn(dimension.label, shown, dimension.label, _UNITS.get(kind))

    def _figure_column(self, metric: AskedMetric) -> AnswerColumn:
        if metric.column is None or metric.function in {AskedFunction.COUNT, AskedFunction.DISTINCT}:
            return AnswerColumn(metric.label, "integer", metric.label, None, ColumnRole.FIGURE)
        kind = type_of(self._stream, self._measured(metric.column))
        number = kind is Type.DOUBLE or metric.function is AskedFunction.MEAN
        shown = "number" if number else "integer"
        return AnswerColumn(metric.label, shown, metric.label, _UNITS.get(kind), ColumnRole.FIGURE)

    def _columns_before(self, figures: Sequence[AnswerColumn]) -> list[AnswerColumn]:
        if self._asked.compare is None:
            return []
        return [replace(each, name=each.name + PREVIOUS, role=ColumnRole.PREVIOUS) for each in figures]

    def _metric(self, metric: AskedMetric) -> list[Metric]:
        """One, or the sum and the number that a mean is made of: figures that rollups may have."""
        if metric.column is None or metric.function in {AskedFunction.COUNT, AskedFunction.DISTINCT}:
            column = None if metric.column is None else subject_of(self._stream, metric.column)
        else:
            column = self._measured(metric.column)
        if metric.function is not AskedFunction.MEAN:
            return [Metric(metric.label, Function(metric.function.value), column)]
        if column is None or type_of(self._stream, column) not in _NUMBERS:
            raise ValueError(f"metric {metric.label[:128]}: column {str(metric.column)[:128]} has no mean")
        ratio = _ratio(metric.label)
        where = EVERYTHING if self._never_null(column) else Not(IsNull(column))
        return [Metric(ratio.dividend, Function.SUM, column), Metric(ratio.divisor, Function.COUNT, where=where)]

    def _measured(self, name: str) -> Subject:
        """What is added up or compared: of a member the number that it is, null for anything else."""
        subject = subject_of(self._stream, name)
        return replace(subject, type=Type.DOUBLE) if isinstance(subject, Member) else subject

    def _never_null(self, column: Subject) -> bool:
        declared = self._stream.by_name.get(column) if isinstance(column, str) else None
        kept = declared is not None and (declared.required or declared.default is not None)
        return kept and self._stream.kind is Kind.EVENT

    def _page(
        self,
        columns: Sequence[AnswerColumn],
        order: Sequence[SortKey],
        metrics: Sequence[AskedMetric],
        after: tuple[KeyValue, ...] | None,
    ) -> AnswerPage:
        """With a comparison all rows, in whatever order: they are ordered and cut once both answers are there."""
        sources = {each.name: each.source for each in columns}
        ratios = tuple(_ratio(each.label) for each in metrics if each.function is AskedFunction.MEAN)
        shown = tuple(each.source for each in columns)
        if self._asked.compare is not None:
            return AnswerPage(shown, ratios=ratios)
        keys = tuple(SortKey(sources[each.field], each.descending) for each in order)
        return AnswerPage(shown, keys, ratios, self._limit, after)

    def _after(self, columns: Sequence[AnswerColumn], order: Sequence[SortKey]) -> tuple[KeyValue, ...] | None:
        if self._cursor is None:
            return None
        kinds = {each.name: "integer" if each.kind == "time" else each.kind for each in columns}
        return checked_keys(self._cursor.after, [kinds[each.field] for each in order])

    def _earlier(self, question: Question, interval: TimeRange | None) -> Question | None:
        if self._asked.compare is None:
            return None
        if interval is None:
            raise ValueError("a comparison needs a `range`, or both `start` and `end`")
        before = previous_period if self._asked.compare is Compared.PREVIOUS_PERIOD else previous_year
        found = before(interval, self._clock)
        return replace(question, start_us=found.start_us, end_us=found.end_us)


def _ratio(name: str) -> Ratio:
    return Ratio(name, f"sum of {name}", f"number of {name}")


def _check_names(columns: Sequence[AnswerColumn]) -> None:
    """Raises ValueError for a name that stands twice (the engine reads names in any case), or is a column's of ours."""
    names = [each.name for each in columns]
    if len({READ, *(name.casefold() for name in names)}) <= len(names):
        raise ValueError(f"each column of the answer needs a name of its own: {', '.join(names)[:128]}")


def _order_of(
    asked: Sequence[str], columns: Sequence[AnswerColumn], groups: Sequence[AnswerColumn]
) -> tuple[SortKey, ...]:
    """The keys asked for, then every column that rows are grouped by."""
    names = {each.name for each in columns}
    keys: dict[str, SortKey] = {}
    for text in asked:
        descending = text not in names and text.startswith("-")
        name = text[1:] if descending else text
        if name not in names or name in keys:
            raise ValueError(f"`order` names columns of the answer, each once, `-` before it: not {text[:64]!r}")
        keys[name] = SortKey(name, descending)
    for each in groups:
        keys.setdefault(each.name, SortKey(each.name))
    return tuple(keys.values())
