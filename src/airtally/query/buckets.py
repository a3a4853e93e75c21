"""Buckets of time in a time zone, as instants. Both ends of a day are computed, since not all days have 24 hours.

A day, week or month is all instants whose local date lies in it. Where the clock is set back over midnight, a day
continues after the next has begun, so that its bucket has several runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from sqlglot import exp

from airtally.kit.time import DAY_US, SECOND_US
from airtally.kit.zones import local_days, spans


class Bucket(StrEnum):
    """The calendar buckets that rows are grouped by. A week begins on Monday."""

    NONE = "none"
    MINUTE = "minute"
    QUARTER = "quarter"  # of an hour
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Step:
    """Buckets of one length, counted from the start of the interval; the last may be shorter."""

    length_us: int

    def __post_init__(self) -> None:
        if self.length_us <= 0:
            raise ValueError("the length of a bucket must be above 0")


Buckets = Bucket | Step

_FIXED_US = {Bucket.MINUTE: 60 * SECOND_US, Bucket.QUARTER: 900 * SECOND_US, Bucket.HOUR: 3600 * SECOND_US}


#: Upper bounds for the length of a bucket in any time zone.
_LONGEST_US = _FIXED_US | {Bucket.DAY: 2 * DAY_US, Bucket.WEEK: 8 * DAY_US, Bucket.MONTH: 32 * DAY_US}


@dataclass(frozen=True, slots=True)
class Run:
    """Buckets of one length without gaps, from `start_us` to `end_us`; the last may be shorter.

    `bucket_us` is the start of the first bucket if the run begins with a later piece of it.
    """

    start_us: int
    end_us: int
    length_us: int
    bucket_us: int | None = None


def runs(bucket: Buckets, start_us: int, end_us: int, zone: ZoneInfo) -> list[Run]:
    """The fewest runs of buckets that contain [start_us, end_us); the first begins at or before `start_us`.

    Where the clock is set back, an hour that occurs twice is two buckets, and a day that occurs in two pieces is one.
    """
    if start_us >= end_us:
        return []
    if bucket is Bucket.NONE:
        return [Run(start_us, end_us, end_us - start_us)]
    if isinstance(bucket, Step):
        return [Run(start_us, end_us, bucket.length_us)]
    if bucket in _FIXED_US:
        return list(_fixed_runs(_FIXED_US[bucket], start_us, end_us, zone))
    return list(_join_pieces(_bucket_pieces(bucket, start_us, end_us, zone)))


def at_least(bucket: Buckets, start_us: int, end_us: int) -> int:
    """A lower bound for the buckets of [start_us, end_us), for any time zone and without its rules."""
    if bucket is Bucket.NONE:
        return 0
    longest_us = bucket.length_us if isinstance(bucket, Step) else _LONGEST_US[bucket]
    return max(0, end_us - start_us) // longest_us


def boundaries(bucket: Buckets, start_us: int, end_us: int, zone: ZoneInfo) -> list[int]:
    """The start of each bucket, or of its later pieces, and then the end of the last."""
    found = runs(bucket, start_us, end_us, zone)
    starts = [at for run in found for at in range(run.start_us, run.end_us, run.length_us)]
    return [*starts, found[-1].end_us] if found else []


def bucket_of(at_us: exp.Expr, found: list[Run]) -> exp.Expr:
    """The start of the bucket that an instant lies in, by integer arithmetic alone.

    The runs are searched by halves: the months of 130 years are 1,300 runs, half of which each row would be compared with.
    """
    if len(found) == 1:  # never a plain number: GROUP BY would take it for the position of a column
        return _start_in(at_us, found[0])
    middle = len(found) // 2
    before = exp.LT(this=at_us.copy(), expression=exp.Literal.number(found[middle].start_us))
    case = exp.Case().when(before, _half(at_us, found[:middle]), copy=False)
    return case.else_(_half(at_us, found[middle:]), copy=False)


def _half(at_us: exp.Expr, found: list[Run]) -> exp.Expr:
    """Like `bucket_of`; for a single bucket the start is a constant."""
    run = found[0]
    if len(found) == 1 and run.end_us - run.start_us <= run.length_us:
        return exp.Literal.number(run.start_us if run.bucket_us is None else run.bucket_us)
    return bucket_of(at_us, found)


def _start_in(at_us: exp.Expr, run: Run) -> exp.Expr:
    start, length = exp.Literal.number(run.start_us), exp.Literal.number(run.length_us)
    first = start if run.bucket_us is None else exp.Literal.number(run.bucket_us)
    past = exp.Sub(this=at_us.copy(), expression=start)
    whole = exp.IntDiv(this=exp.paren(past), expression=length)
    return exp.Add(this=first.copy(), expression=exp.Mul(this=exp.paren(whole), expression=length.copy()))


def _fixed_runs(length_us: int, start_us: int, end_us: int, zone: ZoneInfo) -> Iterator[Run]:
    for begin_us, until_us, offset_us in _aligned_spans(length_us, start_us - length_us, end_us + length_us, zone):
        whole_us = min(begin_us + -(begin_us + offset_us) % length_us, until_us)
        for run in (Run(begin_us, whole_us, whole_us - begin_us), Run(whole_us, until_us, length_us)):
            if run.start_us < run.end_us and run.start_us < end_us and run.end_us > start_us:
                yield _clip_run(run, start_us, end_us)


def _clip_run(run: Run, start_us: int, end_us: int) -> Run:
    """The run without the buckets that lie wholly outside of [start_us, end_us)."""
    before = max(0, (start_us - run.start_us) // run.length_us)
    until = -((run.start_us - end_us) // run.length_us)
    return Run(
        run.start_us + before * run.length_us,
        min(run.end_us, run.start_us + until * run.length_us),
        run.length_us,
    )


def _aligned_spans(length_us: int, start_us: int, end_us: int, zone: ZoneInfo) -> Iterator[tuple[int, int, int]]:
    """Spans as (start, end, offset). A change of the offset by whole buckets begins no new span."""
    first, *changes = spans(start_us, end_us, zone)
    begin_us, offset_us = first.start_us, first.offset_us
    for span in changes:
        if (span.offset_us - offset_us) % length_us:
            yield begin_us, span.start_us, offset_us
            begin_us, offset_us = span.start_us, span.offset_us
    yield begin_us, end_us, offset_us


@dataclass(frozen=True, slots=True)
class _Piece:
    """[start_us, end_us) of the bucket that begins at `bucket_us`."""

    start_us: int
    end_us: int
    bucket_us: int


#: An upper bound for how far a clock was ever set back: less, even where a zone crossed the date line.
_BACK_US = 2 * DAY_US


def _bucket_pieces(bucket: Bucket, start_us: int, end_us: int, zone: ZoneInfo) -> list[_Piece]:
    """The pieces of buckets that overlap [start_us, end_us), in order and without gaps."""
    around_us = _LONGEST_US[bucket] + _BACK_US
    pieces: list[_Piece] = []
    begins: dict[date, int] = {}
    for day, begin_us, until_us in local_days(start_us - around_us, end_us + around_us, zone):
        first = _first_day(bucket, day)
        begin = begins.setdefault(first, begin_us)
        goes_on = bool(pieces) and pieces[-1].bucket_us == begin
        pieces.append(_Piece(pieces.pop().start_us if goes_on else begin_us, until_us, begin))
    return [piece for piece in pieces if piece.start_us < end_us and piece.end_us > start_us]


def _first_day(bucket: Bucket, day: date) -> date:
    if bucket is Bucket.MONTH:
        return day.replace(day=1)
    return day - timedelta(days=day.weekday()) if bucket is Bucket.WEEK else day


def _join_pieces(pieces: list[_Piece]) -> Iterator[Run]:
    """The pieces as runs: neighbouring whole buckets of one length are joined."""
    held: Run | None = None
    for piece in pieces:
        length_us = piece.end_us - piece.start_us
        whole = piece.start_us == piece.bucket_us
        if held is not None and whole and held.bucket_us is None and held.length_us == length_us:
            held = Run(held.start_us, piece.end_us, length_us)
            continue
        if held is not None:
            yield held
        held = Run(piece.start_us, piece.end_us, length_us, None if whole else piece.bucket_us)
    if held is not None:
        yield held
