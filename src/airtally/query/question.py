"""The question: what is asked of a stream's rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from zoneinfo import ZoneInfo

from airtally.kit.errors import LimitExceeded
from airtally.kit.time import day_start_us
from airtally.query.buckets import Bucket, Buckets, Run, at_least, runs
from airtally.query.page import AnswerPage
from airtally.sql.checks import check_condition, has_only_texts
from airtally.sql.comparable import type_of
from airtally.sql.filters import EVERYTHING, Filter, Member, Subject, columns_of
from airtally.streams.declaration import Stream, Type
from airtally.streams.rollup import Function

__all__ = ["BUCKET", "END_US", "FIRST_US", "UTC", "Dimension", "Function", "Metric", "Question"]

UTC = ZoneInfo("UTC")

#: Rows are of the years 1970 to 2100; the bounds leave room for time zones.
FIRST_US, END_US = day_start_us(date(1969, 1, 1)), day_start_us(date(2102, 1, 1))

#: The column of an answer that holds the start of each bucket.
BUCKET = "bucket"
MAX_BUCKETS = 100_000

#: An error repeats at most so many characters of a caller's text.
_SHOWN = 128

_NUMBERS = frozenset({Type.INT64, Type.DOUBLE, Type.DECIMAL})
_MEASURED = {
    Function.SUM: _NUMBERS,
    Function.MIN: _NUMBERS | {Type.TIME, Type.LOCAL_TIME},
    Function.MAX: _NUMBERS | {Type.TIME, Type.LOCAL_TIME},
    Function.DISTINCT: frozenset(Type),
}


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure of each group, as int64: money in micros, times in microseconds since epoch.

    If a sum needs more than 64 bits its column is decimal(38, 0) (`query/narrow.py`). The figure of a double is a
    double. Only rows that meet `where` count. A sum over no rows is 0, a minimum or maximum null. An `approximate`
    distinct count is off by little (`query/distinct.py`).
    """

    name: str
    function: Function = Function.COUNT
    column: Subject | None = None
    where: Filter = EVERYTHING
    approximate: bool = False


@dataclass(frozen=True, slots=True)
class Dimension:
    """A column, or member of one, that rows are grouped by; times are microseconds since epoch, money is in micros."""

    column: Subject
    name: str = ""

    @property
    def label(self) -> str:
        return self.name or str(self.column)


@dataclass(frozen=True, slots=True)
class Question:
    """Metrics of an account's rows, by dimensions and by buckets of time.

    Event times lie in [start_us, end_us). In a stream with local times these are local times written as if they were
    UTC, and `zone` is not used. The answer's column `bucket` holds the start of each bucket as an instant.
    `as_received` counts repeats of an event too, which is faster, for figures that repeats do not change. An answer of
    more than `most_rows` rows is refused before all of them are read. With a `page` the answer is that page, in order.
    Beyond `exact_distinct_rows` rows distinct counts are approximate.
    Raises ValueError for a column that the stream does not have, and for a function that its type does not have.
    """

    stream: Stream
    account: str
    metrics: tuple[Metric, ...]
    dimensions: tuple[Dimension, ...] = ()
    where: Filter = EVERYTHING
    start_us: int | None = None
    end_us: int | None = None
    zone: ZoneInfo = field(default=UTC)
    bucket: Buckets = Bucket.NONE
    as_received: bool = False
    most_rows: int | None = None
    page: AnswerPage | None = None
    exact_distinct_rows: int | None = None

    def __post_init__(self) -> None:
        for name in columns_of(self.where):
            type_of(self.stream, name)
        check_condition(self.stream, self.where)
        repeats = all(has_only_texts(metric.where) for metric in self.metrics)
        (_check_once if repeats else _check_figures)(self.stream, self.metrics, self.dimensions)
        if self.bucket is not Bucket.NONE and (self.start_us is None or self.end_us is None):
            raise ValueError("a query with buckets needs both ends of its interval")

    @property
    def columns(self) -> tuple[str, ...]:
        """The stored columns that the question reads."""
        names = [self.stream.time, *columns_of(self.where)]
        names += [_stored_name(dimension.column) for dimension in self.dimensions]
        for metric in self.metrics:
            names += columns_of(metric.where)
            names += [] if metric.column is None else [_stored_name(metric.column)]
        return tuple(dict.fromkeys(names))

    @property
    def clock_zone(self) -> ZoneInfo:
        """The time zone of the buckets: UTC if the stream's times are local already."""
        local = self.stream.by_name[self.stream.time].type is Type.LOCAL_TIME
        return UTC if local else self.zone

    def runs(self) -> list[Run]:
        """The buckets of a question with buckets, at least one. Raises LimitExceeded for more than `MAX_BUCKETS`."""
        assert self.start_us is not None  # noqa: S101 (checked at its making)
        assert self.end_us is not None  # noqa: S101
        if at_least(self.bucket, self.start_us, self.end_us) > MAX_BUCKETS:
            raise _too_many_buckets()
        found = runs(self.bucket, self.start_us, self.end_us, self.clock_zone)
        if sum((run.end_us - run.start_us) // run.length_us for run in found) > MAX_BUCKETS:
            raise _too_many_buckets()
        return found or [Run(self.start_us, self.start_us + 1, 1)]

    def bucket_starts(self) -> list[int]:
        """Of each bucket, in order, whether or not rows fall into it; none without buckets.

        A bucket that has a later piece, where the clock is set back over midnight, comes once.
        """
        if self.bucket is Bucket.NONE:
            return []
        starts: dict[int, None] = {}
        for run in self.runs():
            found = range(run.start_us, run.end_us, run.length_us) if run.bucket_us is None else [run.bucket_us]
            starts |= dict.fromkeys(found)
        return list(starts)


def _check_figures(stream: Stream, metrics: tuple[Metric, ...], dimensions: tuple[Dimension, ...]) -> None:
    """What questions of one kind have in common. Raises ValueError."""
    for name in (stream.time, *(_stored_name(dimension.column) for dimension in dimensions)):
        type_of(stream, name)
    for metric in metrics:
        _check_metric(stream, metric)
    labels = [*(dimension.label for dimension in dimensions), *(metric.name for metric in metrics)]
    taken = {BUCKET, *(label.casefold() for label in labels)}  # the engine tells names apart in no case
    if not metrics or len(taken) <= len(labels):
        shown = ", ".join(labels)[:_SHOWN]
        raise ValueError(f"a query needs a metric, and a different name for each column of the answer: {shown}")


#: A check that fails is not remembered.
_check_once = lru_cache(1000)(_check_figures)


def _check_metric(stream: Stream, metric: Metric) -> None:
    name = metric.name[:_SHOWN]
    if metric.column is not None:
        type_of(stream, _stored_name(metric.column))
    if metric.column is None and metric.function is not Function.COUNT:
        raise ValueError(f"metric {name}: {metric.function} needs a column")
    if metric.column is not None and metric.function is Function.COUNT:
        raise ValueError(f"metric {name}: count takes no column; a filter leaves out nulls")
    if metric.column is not None and type_of(stream, metric.column) not in _MEASURED[metric.function]:
        raise ValueError(f"metric {name}: column {metric.column} has no {metric.function}")
    check_condition(stream, metric.where)


def _too_many_buckets() -> LimitExceeded:
    return LimitExceeded(
        f"The query has more than {MAX_BUCKETS} buckets of time.",
        hint="Ask for a shorter interval or longer buckets.",
    )


def _stored_name(subject: Subject) -> str:
    return subject.column if isinstance(subject, Member) else subject
