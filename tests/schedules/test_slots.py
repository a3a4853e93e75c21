"""Slots over clock changes, held to a naive search that looks at every minute."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import takewhile
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given
from hypothesis import strategies as st

from airtally.kit.time import MINUTE_US, from_datetime, to_datetime
from airtally.schedules.cron import CronExpression
from airtally.schedules.slots import CronSlots
from fixtures.cron import EXPRESSIONS, naive

pytestmark = pytest.mark.every_zone

#: Of an hour, of half an hour, at midnight, of a whole day, and none.
CHANGES = [
    ("America/New_York", date(2026, 3, 8)),
    ("America/New_York", date(2026, 11, 1)),
    ("Europe/Berlin", date(2026, 3, 29)),
    ("Europe/Berlin", date(2026, 10, 25)),
    ("Australia/Lord_Howe", date(2026, 4, 5)),
    ("Australia/Lord_Howe", date(2026, 10, 4)),
    ("America/Sao_Paulo", date(2018, 11, 4)),
    ("America/Sao_Paulo", date(2018, 2, 17)),
    ("America/Havana", date(2026, 3, 8)),
    ("Pacific/Apia", date(2011, 12, 30)),
    ("Antarctica/Troll", date(2026, 3, 29)),
    ("Asia/Kathmandu", date(2026, 3, 8)),
]


def slots(text: str, zone: str, after: str, until: str) -> list[str]:
    found = CronSlots(CronExpression.parse(text), ZoneInfo(zone))
    end = from_datetime(datetime.fromisoformat(until))
    shown = takewhile(lambda slot: slot <= end, found.after(from_datetime(datetime.fromisoformat(after))))
    return [to_datetime(slot).astimezone(ZoneInfo(zone)).isoformat() for slot in shown]


def test_a_time_that_is_skipped_comes_at_the_change() -> None:
    found = slots("30 2 * * *", "America/New_York", "2026-03-07T00:00:00-05:00", "2026-03-09T12:00:00-04:00")
    assert found == ["2026-03-07T02:30:00-05:00", "2026-03-08T03:00:00-04:00", "2026-03-09T02:30:00-04:00"]


def test_a_time_that_comes_twice_counts_the_first_time() -> None:
    found = slots("30 1 * * *", "America/New_York", "2026-10-31T12:00:00-04:00", "2026-11-02T12:00:00-05:00")
    assert found == ["2026-11-01T01:30:00-04:00", "2026-11-02T01:30:00-05:00"]


def test_from_within_the_repeated_hour_it_does_not_come_again() -> None:
    found = slots("30 1 * * *", "America/New_York", "2026-11-01T01:10:00-05:00", "2026-11-02T12:00:00-05:00")
    assert found == ["2026-11-02T01:30:00-05:00"]


def test_two_skipped_times_are_one_slot() -> None:
    found = slots("0,30 2,3 * * *", "America/New_York", "2026-03-08T00:00:00-05:00", "2026-03-08T12:00:00-04:00")
    assert found == ["2026-03-08T03:00:00-04:00", "2026-03-08T03:30:00-04:00"]


def test_an_interval_goes_on_through_the_repeated_hour() -> None:
    found = slots("*/30 * * * *", "America/New_York", "2026-11-01T00:31:00-04:00", "2026-11-01T02:00:00-05:00")
    hours = ["01:00:00-04:00", "01:30:00-04:00", "01:00:00-05:00", "01:30:00-05:00", "02:00:00-05:00"]
    assert found == [f"2026-11-01T{hour}" for hour in hours]


def test_an_interval_has_no_slot_in_the_skipped_hour() -> None:
    found = slots("0 * * * *", "America/New_York", "2026-03-08T00:30:00-05:00", "2026-03-08T04:00:00-04:00")
    assert found == ["2026-03-08T01:00:00-05:00", "2026-03-08T03:00:00-04:00", "2026-03-08T04:00:00-04:00"]


def test_a_skipped_midnight() -> None:
    found = slots("0 0 * * *", "America/Sao_Paulo", "2018-11-03T12:00:00-03:00", "2018-11-05T12:00:00-02:00")
    assert found == ["2018-11-04T01:00:00-02:00", "2018-11-05T00:00:00-02:00"]


def test_a_day_that_was_skipped_whole() -> None:
    found = slots("0 9 * * *", "Pacific/Apia", "2011-12-29T00:00:00-10:00", "2011-12-31T12:00:00+14:00")
    assert found == ["2011-12-29T09:00:00-10:00", "2011-12-31T00:00:00+14:00", "2011-12-31T09:00:00+14:00"]


@given(
    text=EXPRESSIONS,
    change=st.sampled_from(CHANGES),
    begin=st.integers(-40 * 60, 40 * 60),
    minutes=st.integers(1, 4000),
)
def test_slots_are_those_of_a_naive_search(text: str, change: tuple[str, date], begin: int, minutes: int) -> None:
    zone, day = change
    noon = from_datetime(datetime(day.year, day.month, day.day, 12, tzinfo=UTC))
    start = noon + begin * MINUTE_US
    end = start + minutes * MINUTE_US
    try:
        found = CronSlots(CronExpression.parse(text), ZoneInfo(zone))
    except ValueError:
        assert naive(text, zone, start, end) == []
        return
    expected = naive(text, zone, start, end)
    assert list(takewhile(lambda slot: slot < end, found.after(start - 1))) == expected
    assert found.last(start - 1, end - 1, 10_000) == expected
    assert found.last(start - 1, end - 1, 3) == expected[-3:]


@given(text=EXPRESSIONS)
def test_without_a_zone_they_are_cronsim_s(text: str) -> None:
    start = datetime(2026, 1, 30, tzinfo=UTC)
    try:
        found = CronSlots(CronExpression.parse(text), ZoneInfo("UTC")).after(from_datetime(start))
    except ValueError:
        return
    theirs = CronSim(text, start)
    assert [next(found) for _ in range(50)] == [from_datetime(next(theirs)) for _ in range(50)]


def test_a_rare_day_is_found_from_far_away() -> None:
    found = CronSlots(CronExpression.parse("0 0 29 2 *"), ZoneInfo("Europe/Berlin"))
    first = found.first_after(from_datetime(datetime(2025, 1, 1, tzinfo=UTC)))
    assert first is not None
    assert to_datetime(first).isoformat() == "2028-02-28T23:00:00+00:00"
    assert found.last(0, from_datetime(datetime(2027, 1, 1, tzinfo=UTC)), 1) == [
        from_datetime(datetime(2024, 2, 28, 23, tzinfo=UTC))
    ]
