"""Ranges of time in words, such as `last 7 days` or `2026-10`, as intervals in a time zone.

Every range is of whole minutes, hours, days and so on, as the zone's clocks and calendar have them. `last 7 days` are the
seven whole days before today, `this month` is all of the month that today is in, its future included.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from airtally.kit.time import DAY_US, day_start_us, from_datetime, to_datetime, utc_day, wall_clock_us, zone_midnight_us
from airtally.query.buckets import Bucket, boundaries

EXPECTED = (
    "expected a range such as `today`, `yesterday`, `this month`, `last week`, `last 7 days`, `last 90 minutes`, "
    "`2026-10-31`, `2026-10`, `2026` or `2026-10-01 to 2026-10-07`"
)
#: The longest `last N` of each unit: about 130 years, or a month of minutes.
_MOST = {"minute": 44_640, "hour": 17_568, "day": 48_000, "week": 6_900, "month": 1_580, "year": 130}
_CLOCK_UNITS = {"minute": Bucket.MINUTE, "hour": Bucket.HOUR}
_LENGTHS_US = {"minute": 60_000_000, "hour": 3_600_000_000}

_UNIT = "(minute|hour|day|week|month|year)"
_LAST = re.compile(rf"last (?:([0-9]{{1,6}}) )?{_UNIT}s?")
_THIS = re.compile(rf"this {_UNIT}")
_DAYS = re.compile(r"([0-9]{4})(?:-([0-9]{2}))?(?:-([0-9]{2}))?")
#: The years that an interval may lie in; rows are of 1970 to 2100.
_YEARS = range(1969, 2102)
_OUTSIDE = "a range lies in the years 1969 to 2101"


@dataclass(frozen=True, slots=True)
class TimeRange:
    """[start_us, end_us) as the times of a stream are stored; of calendar units `months` or `days`, else neither."""

    start_us: int
    end_us: int
    months: int = 0
    days: int = 0


@dataclass(frozen=True, slots=True)
class RangeClock:
    """Now, in the zone whose days count. `local`: times are wall clock written as if it were UTC, as in `playlogs`."""

    now_us: int
    zone: ZoneInfo
    local: bool = False

    @property
    def times_zone(self) -> ZoneInfo:
        """The zone that turns the stream's times into wall clock."""
        return ZoneInfo("UTC") if self.local else self.zone

    @property
    def today(self) -> date:
        return utc_day(wall_clock_us(self.now_us, self.zone))

    def midnight(self, day: date) -> int:
        """Raises ValueError for a day that no interval may begin or end with."""
        if day.year not in _YEARS:
            raise ValueError(_OUTSIDE)
        return zone_midnight_us(day, self.times_zone)

    def unit_start(self, bucket: Bucket, at_us: int | None = None) -> int:
        """Of the minute or hour that an instant, or now, is in."""
        if at_us is None:
            at_us = wall_clock_us(self.now_us, self.zone) if self.local else self.now_us
        return boundaries(bucket, at_us, at_us + 1, self.times_zone)[0]


def parse_range(text: str, clock: RangeClock) -> TimeRange:
    """Raises ValueError for a text that is no range."""
    words = " ".join(text.lower().split())
    if words == "today":
        words = "this day"
    elif words == "yesterday":
        words = "last day"
    if found := _THIS.fullmatch(words):
        return _units(found[1], 0, 1, clock)
    if found := _LAST.fullmatch(words):
        number = int(found[1] or 1)
        if not 0 < number <= _MOST[found[2]]:
            raise ValueError(f"a range has 1 to {_MOST[found[2]]} {found[2]}s, not {number}")
        return _units(found[2], -number, number, clock)
    first, _, last = words.partition(" to ")
    return _dates(first, last or first, clock)


def previous_period(asked: TimeRange, clock: RangeClock) -> TimeRange:
    """As many months, days or microseconds, up to the start of the range."""
    if not asked.months and not asked.days:
        return TimeRange(_in_years(2 * asked.start_us - asked.end_us), asked.start_us)
    start = _shifted_day(_local_day(asked.start_us, clock), -asked.months, -asked.days)
    return TimeRange(clock.midnight(start), asked.start_us, asked.months, asked.days)


def previous_year(asked: TimeRange, clock: RangeClock) -> TimeRange:
    """The same dates and wall clock a year before; 29 February becomes the 28th."""
    return TimeRange(_year_before(asked.start_us, clock), _year_before(asked.end_us, clock), asked.months, asked.days)


def range_of_ends(start_us: int, end_us: int, clock: RangeClock) -> TimeRange:
    """An interval that was given by its ends; one from midnight to midnight is so many days."""
    first, last, zone = _local_day(start_us, clock), _local_day(end_us, clock), clock.times_zone
    if first < last and (zone_midnight_us(first, zone), zone_midnight_us(last, zone)) == (start_us, end_us):
        return TimeRange(start_us, end_us, days=(last - first).days)
    return TimeRange(start_us, end_us)


def _units(unit: str, first: int, number: int, clock: RangeClock) -> TimeRange:
    """`number` units from that which is `first` units from the current one."""
    if unit in _CLOCK_UNITS:
        bucket, length_us = _CLOCK_UNITS[unit], _LENGTHS_US[unit]
        start = clock.unit_start(bucket)
        begin = clock.unit_start(bucket, start + first * length_us)
        return TimeRange(begin, clock.unit_start(bucket, start + (first + number) * length_us))
    months, days = {"day": (0, 1), "week": (0, 7), "month": (1, 0), "year": (12, 0)}[unit]
    begin_day = _shifted_day(_first_day_of(unit, clock.today), first * months, first * days)
    end_day = _shifted_day(begin_day, number * months, number * days)
    return TimeRange(clock.midnight(begin_day), clock.midnight(end_day), number * months, number * days)


def _dates(first: str, last: str, clock: RangeClock) -> TimeRange:
    """From the start of `first` to the end of `last`, each a day, a month or a year."""
    (begin, _, _), (at, months, days) = _calendar_unit(first), _calendar_unit(last)
    end = _shifted_day(at, months, days)
    if begin >= end:
        raise ValueError("a range ends after it begins")
    if begin.day == 1 and end.day == 1:
        return TimeRange(
            clock.midnight(begin), clock.midnight(end), (end.year - begin.year) * 12 + end.month - begin.month
        )
    return TimeRange(clock.midnight(begin), clock.midnight(end), days=(end - begin).days)


def _calendar_unit(text: str) -> tuple[date, int, int]:
    """Its first day, and its length in months or days."""
    found = _DAYS.fullmatch(text)
    if found is None or int(found[1]) not in _YEARS:
        raise ValueError(f"{EXPECTED}, not {text[:64]!r}")
    year, month, day = found.groups()
    try:
        first = date(int(year), int(month or 1), int(day or 1))
    except ValueError:
        raise ValueError(f"there is no day {text!r}") from None
    return first, (0 if day else 1 if month else 12), 1 if day else 0


def _first_day_of(unit: str, day: date) -> date:
    if unit == "week":
        return day - timedelta(days=day.weekday())
    if unit in {"month", "year"}:
        return day.replace(day=1, month=1 if unit == "year" else day.month)
    return day


def _shifted_day(day: date, months: int, days: int) -> date:
    """The day so many months, then days, later; a day that its month does not have becomes its last."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    if not 0 < year < 9999:
        raise ValueError(_OUTSIDE)
    first = date(year, month + 1, 1)
    after = date(year + month // 11, (month + 1) % 12 + 1, 1)
    return min(first.replace(day=1) + timedelta(days=day.day - 1), after - timedelta(days=1)) + timedelta(days=days)


def _local_day(at_us: int, clock: RangeClock) -> date:
    return utc_day(at_us if clock.local else wall_clock_us(at_us, clock.zone))


def _year_before(at_us: int, clock: RangeClock) -> int:
    local = to_datetime(at_us).astimezone(clock.times_zone)
    day = _shifted_day(local.date(), -12, 0)
    return _in_years(from_datetime(local.replace(year=day.year, month=day.month, day=day.day)))


def _in_years(at_us: int) -> int:
    """The time. Raises ValueError for one before the years that a range may lie in."""
    if at_us < day_start_us(date(_YEARS.start, 1, 1)) - DAY_US:
        raise ValueError(_OUTSIDE)
    return at_us
