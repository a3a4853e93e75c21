"""Which days of a rollup a question fits."""

from __future__ import annotations

from datetime import date

from airtally.kit.time import DAY_US, HOUR_US, MINUTE_US, day_start_us
from airtally.query.buckets import Bucket, Step, runs
from airtally.query.fits import Edges
from airtally.query.question import UTC
from airtally.rollups.plan import Interval
from airtally.streams import VIEWER_SAMPLES

LOCAL_DAY, HOUR, MINUTE = VIEWER_SAMPLES.rollups
START = day_start_us(date(2026, 10, 1))


def edges(start_us: int, end_us: int, bucket: Bucket | Step = Bucket.NONE) -> Edges:
    return Edges(Interval(start_us, end_us), bucket, runs(bucket, start_us, end_us, UTC))


def test_every_day_fits_where_all_edges_lie_on_cells() -> None:
    assert edges(START, START + 3 * DAY_US).fits(LOCAL_DAY) is None
    assert edges(START + HOUR_US, START + DAY_US).fits(HOUR) is None
    assert edges(START, START + DAY_US, Bucket.HOUR).fits(HOUR) is None


def test_only_the_days_of_the_ends_do_not_fit() -> None:
    fits = edges(START + HOUR_US, START + 3 * DAY_US - MINUTE_US).fits(LOCAL_DAY)
    assert fits is not None
    assert [fits(f"2026-10-0{day}", "UTC") for day in (1, 2, 3)] == [False, True, False]


def test_a_local_midnight_fits_days_of_that_zone_alone() -> None:
    fits = edges(START - 330 * MINUTE_US, START + DAY_US).fits(LOCAL_DAY)
    assert fits is not None
    assert (fits("2026-09-30", "Asia/Kolkata"), fits("2026-09-30", "UTC")) == (True, False)


def test_with_more_edges_than_cells_no_day_is_looked_at() -> None:
    fits = edges(START, START + 30 * DAY_US, Step(MINUTE_US // 2)).fits(MINUTE)
    assert fits is not None
    assert not fits("2026-10-01", "UTC")
