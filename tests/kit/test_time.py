from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from airtally.kit.time import (
    DAY_US,
    day_start_us,
    from_datetime,
    iso_seconds,
    to_datetime,
    utc_day,
    wall_clock_us,
    zone_midnight_us,
)

HOUR_US = 3_600_000_000


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("America/New_York", date(2026, 3, 8), 23),
        ("America/New_York", date(2026, 11, 1), 25),
        ("America/New_York", date(2026, 6, 1), 24),
        ("Asia/Kathmandu", date(2026, 6, 1), 24),
        ("America/Sao_Paulo", date(2018, 11, 4), 23),  # the day began at one o'clock
    ],
)
def test_a_day_is_from_midnight_to_midnight(zone, day, hours):
    after = date.fromordinal(day.toordinal() + 1)
    length = zone_midnight_us(after, ZoneInfo(zone)) - zone_midnight_us(day, ZoneInfo(zone))
    assert length == hours * HOUR_US


def test_kathmandu_is_ahead_by_five_hours_and_three_quarters():
    day = date(2026, 6, 1)
    assert day_start_us(day) - zone_midnight_us(day, ZoneInfo("Asia/Kathmandu")) == 5.75 * HOUR_US


def test_texts():
    us = day_start_us(date(2026, 11, 2)) + 9 * HOUR_US + 15 * 60_000_000 + 999_999
    assert iso_seconds(us) == "2026-11-02T09:15:00+00:00"
    assert utc_day(us) == date(2026, 11, 2)
    assert to_datetime(us).microsecond == 999_999
    assert utc_day(day_start_us(date(2026, 11, 2)) + DAY_US) == date(2026, 11, 3)


@pytest.mark.parametrize(
    ("moment", "zone", "shown"),
    [
        ("2050-07-01T12:00:00+00:00", "America/New_York", "2050-07-01T08:00:00+00:00"),
        ("2026-11-01T05:30:00+00:00", "America/New_York", "2026-11-01T01:30:00+00:00"),
        ("2026-11-01T06:30:00+00:00", "America/New_York", "2026-11-01T01:30:00+00:00"),
        ("2026-11-22T00:00:00+00:00", "Asia/Kathmandu", "2026-11-22T05:45:00+00:00"),
    ],
)
def test_the_wall_clock_is_what_a_zones_clock_shows(moment, zone, shown):
    us = from_datetime(datetime.fromisoformat(moment))
    assert to_datetime(wall_clock_us(us, ZoneInfo(zone))) == datetime.fromisoformat(shown)
