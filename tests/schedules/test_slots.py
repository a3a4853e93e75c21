"""Slots over clock changes, held to a naive search that looks at every minute."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given
from hypothesis import strategies as st

from airtally.kit.time import DAY_US, MINUTE_US, from_datetime, to_datetime
from airtally.schedules.cron import CronExpression
from airtally.schedules.slots import CronSlots

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


def _field(low: int, high: int, *, starred: bool = True) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    some = st.lists(number, min_size=1, max_size=3).map(lambda found: ",".join(map(str, found)))
    between = st.tuples(number, number).map(lambda pair: f"{min(pair)}-{max(pair)}")
    stepped = st.sampled_from([f"{low}-{high}/2", f"{low}-{high}/7"])
    plain = st.one_of(some, between, stepped)
    return st.one_of(st.just("*"), st.sampled_from(["*/2", "*/5", "*/20"]), plain) if starred else plain


EXPRESSIONS = st.tuples(
    _field(0, 59),
    _field(0, 23),
    st.one_of(st.just("*"), _field(1, 31)),
    st.just("*"),
    st.one_of(st.just("*"), _field(0, 7)),
).map(" ".join)


def _numbers(field: str, low: int, high: int) -> set[int]:
    found: set[int] = set()
    for part in field.split(","):
        body, _, step = part.partition("/")
        first, _, last = (f"{low}-{high}" if body == "*" else body).partition("-")
        found.update(range(int(first), int(last or first) + 1)[:: int(step or 1)])
    return found


def matcher(text: str) -> Callable[[datetime], bool]:
    """The rules of Debian's cron, written down a second time."""
    minute, hour, day, _, weekday = text.split()
    minutes, hours, days = _numbers(minute, 0, 59), _numbers(hour, 0, 23), _numbers(day, 1, 31)
    weekdays = {each % 7 for each in _numbers(weekday, 0, 7)}
    both = day.startswith("*") or weekday.startswith("*")

    def matches(wall: datetime) -> bool:
        of_day, of_week = wall.day in days, wall.isoweekday() % 7 in weekdays
        return wall.minute in minutes and wall.hour in hours and ((of_day and of_week) if both else (of_day or of_week))

    return matches


def naive(text: str, zone: str, start_us: int, end_us: int) -> list[int]:
    """[start_us, end_us), minute by minute from two days before."""
    matches, by_interval = matcher(text), any(each.startswith("*") for each in text.split()[:2])
    found, at = [], start_us // MINUTE_US * MINUTE_US - 2 * DAY_US
    wall: datetime | None = None
    while at < end_us:
        local = to_datetime(at).astimezone(ZoneInfo(zone))
        before, wall = wall, local.replace(tzinfo=None, fold=0)
        due = matches(wall) and (by_interval or not local.fold)
        while not by_interval and before is not None and (before := before + timedelta(minutes=1)) < wall:
            due = due or matches(before)
        if due and at >= start_us:
            found.append(at)
        at += MINUTE_US
    return found


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
