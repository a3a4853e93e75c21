"""Buckets of time in a zone, as instants: both ends of each are computed, none is the start plus 24 hours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from sqlglot import exp

from airtally.kit.time import DAY_US, SECOND_US, to_datetime, zone_midnight_us


class Bucket(StrEnum):
    """What rows are grouped by in time. A week begins on Monday."""

    NONE = "none"
    MINUTE = "minute"
    QUARTER = "quarter"  # of an hour
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Step:
    """Buckets of one length, counted from the start of the interval; the last may be cut short."""

    length_us: int

    def __post_init__(self) -> None:
        if self.length_us <= 0:
            raise ValueError("a bucket without length")


Buckets = Bucket | Step

_FIXED_US = {Bucket.MINUTE: 60 * SECOND_US, Bucket.QUARTER: 900 * SECOND_US, Bucket.HOUR: 3600 * SECOND_US}


#: No bucket is longer, whatever its zone does.
_LONGEST_US = _FIXED_US | {Bucket.DAY: 2 * DAY_US, Bucket.WEEK: 8 * DAY_US, Bucket.MONTH: 32 * DAY_US}


@dataclass(frozen=True, slots=True)
class Run:
    """Buckets of one length, without gap: from `start_us` to `end_us`, the last may be cut short."""

    start_us: int
    end_us: int
    length_us: int


def runs(bucket: Buckets, start_us: int, end_us: int, zone: ZoneInfo) -> list[Run]:
    """The fewest runs of buckets that hold [start_us, end_us); the first begins at or before `start_us`.

    Where the clock is set back, an hour that is lived twice makes two buckets.
    """
    if start_us >= end_us:
        return []
    if bucket is Bucket.NONE:
        return [Run(start_us, end_us, end_us - start_us)]
    if isinstance(bucket, Step):
        return [Run(start_us, end_us, bucket.length_us)]
    if bucket in _FIXED_US:
        return list(_fixed_runs(_FIXED_US[bucket], start_us, end_us, zone))
    return list(_joined(_midnights(bucket, start_us, end_us, zone)))


def at_least(bucket: Buckets, start_us: int, end_us: int) -> int:
    """A number of buckets that [start_us, end_us) has in every zone, told without a look at one."""
    if bucket is Bucket.NONE:
        return 0
    longest_us = bucket.length_us if isinstance(bucket, Step) else _LONGEST_US[bucket]
    return max(0, end_us - start_us) // longest_us


def boundaries(bucket: Buckets, start_us: int, end_us: int, zone: ZoneInfo) -> list[int]:
    """The start of each bucket, then the end of the last."""
    found = runs(bucket, start_us, end_us, zone)
    starts = [at for run in found for at in range(run.start_us, run.end_us, run.length_us)]
    return [*starts, found[-1].end_us] if found else []


def bucket_of(at_us: exp.Expr, found: list[Run]) -> exp.Expr:
    """The start of the bucket that an instant of the runs lies in: integers only, no zone."""
    last = _start_in(at_us, found[-1])
    if len(found) == 1:
        return last
    case = exp.Case()
    for run in found[:-1]:
        case = case.when(
            exp.LT(this=at_us.copy(), expression=exp.Literal.number(run.end_us)), _start_in(at_us, run), copy=False
        )
    return case.else_(last, copy=False)


def _start_in(at_us: exp.Expr, run: Run) -> exp.Expr:
    start, length = exp.Literal.number(run.start_us), exp.Literal.number(run.length_us)
    past = exp.Sub(this=at_us.copy(), expression=start)
    whole = exp.IntDiv(this=exp.paren(past), expression=length)
    return exp.Add(this=start.copy(), expression=exp.Mul(this=exp.paren(whole), expression=length.copy()))


def _fixed_runs(length_us: int, start_us: int, end_us: int, zone: ZoneInfo) -> Iterator[Run]:
    for begin_us, until_us, offset_us in _aligned_spans(length_us, start_us - length_us, end_us + length_us, zone):
        whole_us = min(begin_us + -(begin_us + offset_us) % length_us, until_us)
        for run in (Run(begin_us, whole_us, whole_us - begin_us), Run(whole_us, until_us, length_us)):
            if run.start_us < run.end_us and run.start_us < end_us and run.end_us > start_us:
                yield _cut(run, start_us, end_us)


def _cut(run: Run, start_us: int, end_us: int) -> Run:
    """Without the buckets that lie wholly outside of [start_us, end_us)."""
    before = max(0, (start_us - run.start_us) // run.length_us)
    until = -((run.start_us - end_us) // run.length_us)
    return Run(
        run.start_us + before * run.length_us,
        min(run.end_us, run.start_us + until * run.length_us),
        run.length_us,
    )


def _aligned_spans(length_us: int, start_us: int, end_us: int, zone: ZoneInfo) -> Iterator[tuple[int, int, int]]:
    """(from, to, offset): a change of the clock by whole buckets begins no new span."""
    (begin_us, offset_us), *changes = _offset_spans(start_us, end_us, zone)
    for at_us, changed_us in changes:
        if (changed_us - offset_us) % length_us:
            yield begin_us, at_us, offset_us
            begin_us, offset_us = at_us, changed_us
    yield begin_us, end_us, offset_us


def _offset_spans(start_us: int, end_us: int, zone: ZoneInfo) -> list[tuple[int, int]]:
    """(instant, offset from UTC that holds from it on); the first instant is `start_us`."""
    spans = [(start_us, _offset_us(start_us, zone))]
    at_us = start_us
    while at_us < end_us:
        next_us = min(at_us + DAY_US, end_us)
        if _offset_us(next_us, zone) != spans[-1][1]:
            spans.append(_change(at_us, next_us, zone))
        at_us = next_us
    return spans


def _change(before_us: int, after_us: int, zone: ZoneInfo) -> tuple[int, int]:
    """The first instant with the offset of `after_us`, to the second."""
    old = _offset_us(before_us, zone)
    while after_us - before_us > 1:
        middle = (before_us + after_us) // 2
        if _offset_us(middle, zone) == old:
            before_us = middle
        else:
            after_us = middle
    return after_us, _offset_us(after_us, zone)


def _offset_us(at_us: int, zone: ZoneInfo) -> int:
    offset = to_datetime(at_us).astimezone(zone).utcoffset() or timedelta()
    return offset // timedelta(microseconds=1)


def _midnights(bucket: Bucket, start_us: int, end_us: int, zone: ZoneInfo) -> list[int]:
    day = _first_day(bucket, to_datetime(start_us).astimezone(zone).date())
    found = [zone_midnight_us(day, zone)]
    while found[-1] < end_us:
        day = _next_day(bucket, day)
        at_us = zone_midnight_us(day, zone)
        if at_us > found[-1]:  # a zone that crossed the date line has a day without length
            found.append(at_us)
    return found


def _first_day(bucket: Bucket, day: date) -> date:
    if bucket is Bucket.MONTH:
        return day.replace(day=1)
    return day - timedelta(days=day.weekday()) if bucket is Bucket.WEEK else day


def _next_day(bucket: Bucket, day: date) -> date:
    if bucket is Bucket.MONTH:
        return (day.replace(day=28) + timedelta(days=4)).replace(day=1)
    return day + timedelta(days=7 if bucket is Bucket.WEEK else 1)


def _joined(instants: list[int]) -> Iterator[Run]:
    begin = instants[0]
    for before, at, after in zip(instants, instants[1:], [*instants[2:], None], strict=False):
        if after is None or after - at != at - before:
            yield Run(begin, at, at - before)
            begin = at
