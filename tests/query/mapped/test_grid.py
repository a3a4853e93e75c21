"""Buckets by number equal the buckets that SQL computes one by one."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from airtally.kit.time import DAY_US, HOUR_US, day_start_us
from airtally.query.buckets import Bucket, Run, Step
from airtally.query.mapped.grid import OUTSIDE, BucketGrid
from airtally.query.question import Metric, Question
from airtally.rollups.maps.columns import TimeColumn
from airtally.rollups.plan import Interval
from airtally.streams import AD_EVENTS
from airtally.streams.rollup import QUARTER_US

#: Their clocks are set forward or back within the weeks asked for; the last one's over midnight.
ZONES = {
    "UTC": date(2026, 10, 20),
    "America/New_York": date(2026, 10, 20),
    "Europe/London": date(2026, 3, 20),
    "Australia/Lord_Howe": date(2026, 3, 25),
    "Asia/Kathmandu": date(2026, 10, 20),
    "America/Havana": date(2026, 10, 25),
    "America/Sao_Paulo": date(2018, 10, 25),
}


def naive(runs: list[Run], at_us: int) -> int:
    """The start of the bucket of an instant, by going through the runs."""
    for run in runs:
        if run.start_us <= at_us < run.end_us:
            place = (at_us - run.start_us) // run.length_us
            return run.bucket_us if run.bucket_us is not None and not place else run.start_us + place * run.length_us
    raise AssertionError


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("bucket", [Bucket.HOUR, Bucket.DAY, Bucket.WEEK, Bucket.MONTH, Step(7 * HOUR_US)])
def test_each_cell_is_in_the_bucket_of_its_start(zone, bucket):
    first = day_start_us(ZONES[zone])
    start, end = first + 5 * HOUR_US, first + 20 * DAY_US + 3 * HOUR_US
    question = Question(
        AD_EVENTS, "acme", (Metric("n"),), start_us=start, end_us=end, zone=ZoneInfo(zone), bucket=bucket
    )
    grid, runs = BucketGrid(question), question.runs()
    hidden = Interval(first + 3 * DAY_US, first + 4 * DAY_US)
    time = TimeColumn(np.zeros(0, np.uint16), first + QUARTER_US, QUARTER_US, 31 * 96)
    for code, number in enumerate(grid.of_cells(time, [hidden]).tolist()):
        at_us = time.first_us + code * QUARTER_US
        if not start <= at_us < end or hidden.start_us <= at_us < hidden.end_us:
            assert number == OUTSIDE
        else:
            assert grid.starts[number] == naive(runs, at_us)


def test_without_buckets_all_cells_of_the_interval_have_one_number():
    question = Question(AD_EVENTS, "acme", (Metric("n"),), start_us=QUARTER_US, end_us=3 * QUARTER_US)
    time = TimeColumn(np.zeros(0, np.uint8), 0, QUARTER_US, 4)
    assert BucketGrid(question).of_cells(time, []).tolist() == [OUTSIDE, 0, 0, OUTSIDE, OUTSIDE]
