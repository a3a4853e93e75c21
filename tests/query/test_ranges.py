"""Ranges in words as intervals, on days of 23 and 25 hours and in a zone of 45 minutes."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from airtally.kit.time import from_datetime
from airtally.query.ranges import RangeClock, TimeRange, parse_range, previous_period, previous_year, range_of_ends

NEW_YORK, KATHMANDU, LORD_HOWE = map(ZoneInfo, ("America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"))


def us(text):
    at = datetime.fromisoformat(text)
    return from_datetime(at if at.tzinfo else at.replace(tzinfo=UTC))


def clock(now="2026-11-02T09:15:30Z", zone=NEW_YORK, *, local=False):
    return RangeClock(us(now), zone, local=local)


def ends(found):
    return found.start_us, found.end_us


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("today", "2026-11-02T00:00-05:00", "2026-11-03T00:00-05:00"),
        ("Yesterday", "2026-11-01T00:00-04:00", "2026-11-02T00:00-05:00"),  # 25 hours
        ("last 7 days", "2026-10-26T00:00-04:00", "2026-11-02T00:00-05:00"),
        ("this week", "2026-11-02T00:00-05:00", "2026-11-09T00:00-05:00"),
        ("last week", "2026-10-26T00:00-04:00", "2026-11-02T00:00-05:00"),
        ("this month", "2026-11-01T00:00-04:00", "2026-12-01T00:00-05:00"),
        ("last month", "2026-10-01T00:00-04:00", "2026-11-01T00:00-04:00"),
        ("last 3  MONTHS", "2026-08-01T00:00-04:00", "2026-11-01T00:00-04:00"),
        ("this year", "2026-01-01T00:00-05:00", "2027-01-01T00:00-05:00"),
        ("last 2 years", "2024-01-01T00:00-05:00", "2026-01-01T00:00-05:00"),
        ("this hour", "2026-11-02T04:00-05:00", "2026-11-02T05:00-05:00"),
        ("last 24 hours", "2026-11-01T04:00-05:00", "2026-11-02T04:00-05:00"),
        ("last 90 minutes", "2026-11-02T02:45-05:00", "2026-11-02T04:15-05:00"),
        ("2026-03-08", "2026-03-08T00:00-05:00", "2026-03-09T00:00-04:00"),  # 23 hours
        ("2024-02", "2024-02-01T00:00-05:00", "2024-03-01T00:00-05:00"),
        ("2026", "2026-01-01T00:00-05:00", "2027-01-01T00:00-05:00"),
        ("2026-10-30 to 2026-11", "2026-10-30T00:00-04:00", "2026-12-01T00:00-05:00"),
        ("2026-12-31 to 2026-12-31", "2026-12-31T00:00-05:00", "2027-01-01T00:00-05:00"),
    ],
)
def test_what_words_mean(text, start, end):
    assert ends(parse_range(text, clock())) == (us(start), us(end))


def test_hours_of_a_zone_with_45_minutes():
    at = clock("2026-11-02T09:20:00Z", KATHMANDU)  # 15:05 there
    assert ends(parse_range("last hour", at)) == (us("2026-11-02T14:00+05:45"), us("2026-11-02T15:00+05:45"))
    assert ends(parse_range("today", at)) == (us("2026-11-02T00:00+05:45"), us("2026-11-03T00:00+05:45"))


def test_local_times_are_those_of_the_zone_asked_for():
    """Wall clock written as if it were UTC; what day it is now is said by the zone."""
    at = clock("2026-11-02T20:00:00Z", KATHMANDU, local=True)  # 1:45 of the 3rd
    assert ends(parse_range("today", at)) == (us("2026-11-03T00:00"), us("2026-11-04T00:00"))
    assert ends(parse_range("last hour", at)) == (us("2026-11-03T00:00"), us("2026-11-03T01:00"))


@pytest.mark.parametrize(
    ("text", "before", "year"),
    [
        ("yesterday", "2026-10-31T00:00-04:00", ("2025-11-01T00:00-04:00", "2025-11-02T00:00-04:00")),
        ("last month", "2026-09-01T00:00-04:00", ("2025-10-01T00:00-04:00", "2025-11-01T00:00-04:00")),
        ("2026-03", "2026-02-01T00:00-05:00", ("2025-03-01T00:00-05:00", "2025-04-01T00:00-04:00")),
        ("2026", "2025-01-01T00:00-05:00", ("2025-01-01T00:00-05:00", "2026-01-01T00:00-05:00")),
        ("last 24 hours", "2026-10-31T05:00-04:00", ("2025-11-01T04:00-04:00", "2025-11-02T04:00-05:00")),
        ("2024-02-29", "2024-02-28T00:00-05:00", ("2023-02-28T00:00-05:00", "2023-03-01T00:00-05:00")),
    ],
)
def test_what_a_range_is_compared_with(text, before, year):
    asked = parse_range(text, clock())
    assert ends(previous_period(asked, clock())) == (us(before), asked.start_us)
    assert ends(previous_year(asked, clock())) == tuple(map(us, year))


def test_an_interval_from_midnight_to_midnight_is_days():
    start, middle, end = (
        us(each) for each in ("2026-11-01T00:00-04:00", "2026-11-01T12:00-05:00", "2026-11-02T00:00-05:00")
    )
    assert range_of_ends(start, end, clock()) == TimeRange(start, end, days=1)
    assert range_of_ends(start, middle, clock()) == TimeRange(start, middle)
    assert ends(previous_period(range_of_ends(start, end, clock()), clock()))[0] == us("2026-10-31T00:00-04:00")


@pytest.mark.parametrize(
    "text",
    [
        *("", "now", "last", "last 0 days", "last -1 days", "last 1.5 days", "this 2 days", "next week"),
        *("last 50000 days", "20261101", "2026-13", "2026-11-31", "1960", "2200", "2026-11-02 to 2026-11-01"),
        *("today to today", "2026 to ", "٢٠٢٦"),
    ],
)
def test_what_is_no_range(text):
    with pytest.raises(ValueError, match=r"range|no day"):
        parse_range(text, clock())


def test_hours_of_a_zone_that_moves_by_half_an_hour():
    """Lord Howe's clocks go from 2:00 back to 1:30 on the 5th of April."""
    found = parse_range("last 2 hours", clock("2026-04-04T16:10:00Z", LORD_HOWE))
    assert ends(found) == (us("2026-04-05T00:00+11:00"), us("2026-04-05T02:00+10:30"))
