"""Which days of a rollup a question fits."""

from __future__ import annotations

import random
from datetime import date
from zoneinfo import ZoneInfo

import pytest

from airtally.kit.time import DAY_US, HOUR_US, MINUTE_US, day_start_us, utc_day
from airtally.query.buckets import Bucket, Step, runs
from airtally.query.fits import Edges
from airtally.query.question import UTC
from airtally.rollups.cells import is_cut
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


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/New_York", "America/Havana"])
def test_a_day_fits_where_each_of_its_edges_does(zone: str) -> None:
    """Compared with all edges, one by one, in weeks in which clocks are set back."""
    chance, place = random.Random(zone), ZoneInfo(zone)
    for bucket in (Bucket.DAY, Bucket.WEEK, Bucket.HOUR, Step(7 * HOUR_US), Step(DAY_US), Step(MINUTE_US), Bucket.NONE):
        start_us = START + 28 * DAY_US + chance.randrange(96) * 15 * MINUTE_US
        end_us = start_us + chance.randrange(1, 600) * 15 * MINUTE_US
        found = runs(bucket, start_us, end_us, place)
        edges_us = {edge for run in found for edge in range(run.start_us, run.end_us, run.length_us)}
        edges_us = {start_us, end_us} | {
            edge for edge in edges_us if bucket is not Bucket.NONE and start_us < edge < end_us
        }
        for rollup in VIEWER_SAMPLES.rollups:
            fits = Edges(Interval(start_us, end_us), bucket, found).fits(rollup)
            for number in range(27, 36):
                day_us = START + number * DAY_US
                within = [edge for edge in edges_us if day_us < edge < day_us + DAY_US]
                day = utc_day(day_us).isoformat()
                assert (fits is None or fits(day, zone)) == all(is_cut(edge, rollup, place) for edge in within)
