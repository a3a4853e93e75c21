"""Errors for questions whose rows retention has removed, with the nearest questions that can be answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from zoneinfo import ZoneInfo

from airtally.kit.errors import Failure
from airtally.kit.time import iso_seconds
from airtally.query.buckets import Bucket, Step
from airtally.query.question import UTC, Question
from airtally.rollups.plan import RollupPlan


class RowsGone(Failure):
    """Retention has removed the rows and rollup figures that the query needs.

    `instead` are questions that can be asked in place of the one that was.
    """

    status = 422
    code = "rows_gone"

    def __init__(self, message: str, *, hint: str, instead: tuple[Question, ...]) -> None:
        super().__init__(message, hint=hint)
        self.instead = instead


def rows_gone(question: Question, rollup_plan: RollupPlan, plan: Callable[[Question], RollupPlan]) -> RowsGone:
    """The error for what `rollup_plan` misses, with questions that can be asked instead: each was planned and misses nothing."""
    first, last = rollup_plan.missing[0].start_us, rollup_plan.missing[-1].end_us
    message = (
        f"Retention has removed the rows of stream {question.stream.name} between {iso_seconds(first)} and "
        f"{iso_seconds(last)}, and no rollup keeps what the query needs of that time: its figures, dimensions and "
        "filter, in intervals that its start, end and buckets do not cut."
    )
    instead = tuple(dict.fromkeys(_answerable(question, last, plan)))
    hints = [_in_words(question, each) for each in instead]
    hint = f"It can be answered {', or '.join(hints)}." if hints else "Ask for a later interval."
    return RowsGone(message, hint=hint, instead=instead)


def _answerable(question: Question, last_us: int, plan: Callable[[Question], RollupPlan]) -> Iterator[Question]:
    """The whole interval, in wider buckets; and the later part of it that still has rows."""
    for other in _wider(question):
        if not plan(other).missing:
            yield other
            break
    later = _later(question, last_us)
    if later is not None and not plan(later).missing:
        yield later


def _wider(question: Question) -> Iterator[Question]:
    """The question with wider buckets, finest first: in its own time zone and in UTC, extended to whole buckets."""
    if question.start_us is None or question.end_us is None:
        return
    buckets: list[Bucket | Step] = (
        [question.bucket] if question.bucket in {Bucket.NONE, Bucket.WEEK, Bucket.MONTH} else []
    )
    if question.bucket is Bucket.MINUTE or isinstance(question.bucket, Step):
        buckets.append(Bucket.HOUR)
    for bucket in (*buckets, Bucket.DAY):
        for zone in (question.zone, UTC):
            yield _moved_out(replace(question, zone=zone, bucket=bucket), zone)


def _moved_out(question: Question, zone: ZoneInfo) -> Question:
    """The question from the start of its first bucket to the end of its last, or by whole days if it has no buckets."""
    cut = replace(question, bucket=Bucket.DAY if question.bucket is Bucket.NONE else question.bucket, zone=zone)
    found = cut.runs()
    return replace(question, start_us=found[0].start_us, end_us=found[-1].end_us)


def _later(question: Question, last_us: int) -> Question | None:
    """The question from the first bucket that begins after the missing time."""
    end_us = question.end_us
    if end_us is not None and end_us <= last_us:
        return None
    start_us = last_us
    if question.bucket is not Bucket.NONE:
        edges = (
            edge
            for run in question.runs()
            for edge in range(run.start_us, run.end_us, run.length_us)
            if edge >= last_us
        )
        start_us = next(edges, last_us)
    return replace(question, start_us=start_us) if end_us is None or start_us < end_us else None


def _in_words(asked: Question, other: Question) -> str:
    words = []
    if other.start_us is not None and other.start_us != asked.start_us:
        words.append(f"from {iso_seconds(other.start_us)}")
    if other.end_us is not None and other.end_us != asked.end_us:
        words.append(f"to {iso_seconds(other.end_us)}")
    if other.bucket is not asked.bucket:
        words.append(f"by {other.bucket}")
    if str(other.zone) != str(asked.zone):
        words.append(f"in {other.zone}")
    return " ".join(words)
