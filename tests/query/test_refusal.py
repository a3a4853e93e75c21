"""What is said to a question whose rows were removed, and which questions can be asked in its place.

Whether those are answered then is in tests/rollups/test_plan.py, on a home whose rows have expired.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from airtally.kit.time import DAY_US, HOUR_US, MINUTE_US, day_start_us
from airtally.query.buckets import Bucket, Step
from airtally.query.question import UTC, Function, Metric, Question
from airtally.query.refusal import RowsGone, rows_gone
from airtally.rollups.plan import Interval, RollupPlan
from airtally.storage.lake.snapshot import Snapshot
from airtally.streams import VIEWER_SAMPLES

START = day_start_us(date(2026, 10, 1))
GONE = Interval(START, START + 2 * DAY_US)
KATHMANDU = ZoneInfo("Asia/Kathmandu")


def plan(*missing: Interval) -> RollupPlan:
    return RollupPlan((), Snapshot(VIEWER_SAMPLES, "acme", "", 0, (), ()), (), missing)


def refused(can: Callable[[Question], bool], **more: Any) -> RowsGone:
    """`can`: which other questions have an answer."""
    interval = {"start_us": START, "end_us": START + 5 * DAY_US} | more
    question = Question(VIEWER_SAMPLES, "acme", (Metric("sum", Function.SUM, "viewers"),), **interval)
    return rows_gone(question, plan(GONE), lambda other: plan() if can(other) else plan(GONE))


def test_what_was_removed_is_named() -> None:
    failure = refused(lambda _: False)
    assert "stream viewer_samples between 2026-10-01T00:00:00+00:00 and 2026-10-03T00:00:00+00:00" in failure.message
    assert (failure.instead, failure.hint) == ((), "Ask for a later interval.")


def test_the_later_part_begins_with_its_first_whole_bucket() -> None:
    def later(other: Question) -> bool:
        return other.start_us is not None and other.start_us >= GONE.end_us

    (other,) = refused(later, bucket=Step(36 * HOUR_US)).instead
    assert (other.start_us, other.end_us) == (START + 72 * HOUR_US, START + 5 * DAY_US)
    failure = refused(later)
    assert failure.instead[0].start_us == GONE.end_us
    assert failure.hint == "It can be answered from 2026-10-03T00:00:00+00:00."


def test_nothing_later_is_offered_where_all_was_removed() -> None:
    assert refused(lambda other: other.bucket is Bucket.NONE, end_us=GONE.end_us, bucket=Bucket.HOUR).instead == ()


def test_an_interval_without_an_end_is_offered_from_what_is_left() -> None:
    (other,) = refused(lambda _: True, end_us=None).instead
    assert (other.start_us, other.end_us) == (GONE.end_us, None)


def test_minutes_are_offered_as_hours_and_those_as_days() -> None:
    failure = refused(lambda other: other.bucket is Bucket.HOUR, bucket=Bucket.MINUTE)
    assert [other.bucket for other in failure.instead] == [Bucket.HOUR]
    assert failure.hint == "It can be answered by hour."
    failure = refused(lambda other: other.bucket is Bucket.DAY, bucket=Bucket.HOUR)
    assert [other.bucket for other in failure.instead] == [Bucket.DAY]


def test_wider_buckets_are_whole() -> None:
    """From the start of the first day to the end of the last one, in the zone of the question before UTC."""
    cut = {"start_us": START + MINUTE_US, "end_us": START + 3 * DAY_US + MINUTE_US, "bucket": Bucket.HOUR}
    wider = refused(lambda other: other.bucket is Bucket.DAY, zone=KATHMANDU, **cut).instead[0]
    assert (wider.zone, wider.start_us) == (KATHMANDU, START - (5 * 60 + 45) * MINUTE_US)
    in_utc = refused(lambda other: other.bucket is Bucket.DAY and other.zone == UTC, zone=KATHMANDU, **cut)
    assert (in_utc.instead[0].start_us, in_utc.instead[0].end_us) == (START, START + 4 * DAY_US)
    assert in_utc.hint == (
        "It can be answered from 2026-10-01T00:00:00+00:00 to 2026-10-05T00:00:00+00:00 by day in UTC."
    )


def test_a_question_is_offered_once() -> None:
    """The later part and the whole in whole days may be the same one."""
    failure = refused(lambda other: other.start_us == GONE.end_us, start_us=GONE.end_us)
    assert len(failure.instead) == len(set(failure.instead)) == 1
