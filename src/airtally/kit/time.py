"""Conversions between microseconds since 1970-01-01 UTC, datetimes, texts, and the days of a time zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_datetime(us: int) -> datetime:
    """An aware datetime in UTC, exact to the microsecond."""
    return _EPOCH + timedelta(microseconds=us)


def from_datetime(moment: datetime) -> int:
    """Raises ValueError for a datetime without zone."""
    if moment.tzinfo is None:
        raise ValueError("expected a datetime with a time zone")
    return (moment - _EPOCH) // timedelta(microseconds=1)


def iso_seconds(us: int) -> str:
    """`2026-11-02T09:15:00+00:00`: UTC, cut to whole seconds."""
    return to_datetime(us).replace(microsecond=0).isoformat()


def utc_day(us: int) -> date:
    return to_datetime(us).date()


def day_start_us(day: date) -> int:
    """Midnight UTC of a day."""
    return (day - _EPOCH.date()).days * DAY_US


def whole_days(start_us: int | None, end_us: int | None) -> tuple[int | None, int | None]:
    """[start_us, end_us) with both ends moved out to midnights UTC; an end that is open stays so."""
    start = None if start_us is None else start_us // DAY_US * DAY_US
    end = None if end_us is None else -(-end_us // DAY_US) * DAY_US
    return start, end


def wall_clock_us(us: int, zone: ZoneInfo) -> int:
    """The local time of the zone at an instant, in microseconds as if it were UTC."""
    return from_datetime(to_datetime(us).astimezone(zone).replace(tzinfo=UTC))


def zone_midnight_us(day: date, zone: ZoneInfo) -> int:
    """The first instant of a day in a zone. Where midnight is skipped, that is when the clock jumps."""
    midnight = datetime.combine(day, time(), zone)
    return from_datetime(midnight.astimezone(UTC))
