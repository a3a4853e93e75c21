"""Times as the query string writes them, presets, and how far back data may be asked for.

docs/vendors/tapjoy.md#3, #4. Instants are seconds since 1970-01-01 UTC, so that an offset at the end of the
calendar leads to no overflow.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from airtally.kit.time import SECOND_US, day_start_us, from_datetime, utc_day
from airtally.vendors.tapjoy.choices import CHOICES, DAY_S, HOUR_S

_TIME = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)[Tt](?P<hour>\d\d)(:(?P<minute>\d\d)(:(?P<second>\d\d)(\.(?P<fraction>\d{1,9}))?)?)?"
    r"(?P<zone>[Zz]|(?P<sign>[+ -])(?P<hours>\d\d)(:?(?P<minutes>\d\d))?)?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Moment:
    """`whole`: on a whole hour as it was written, and in UTC."""

    at: int
    whole: bool


def parse_time(text: str) -> Moment:
    """ISO 8601 with a time of day; without an offset it is UTC. A space before the offset is an unencoded `+`.

    Raises ValueError.
    """
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError("no ISO 8601 date-time")
    hour, minute, second = (int(found[name] or 0) for name in ("hour", "minute", "second"))
    local = datetime.combine(date.fromisoformat(found["date"]), datetime.min.time(), UTC)
    local = local.replace(hour=hour, minute=minute, second=second)
    at = from_datetime(local) // SECOND_US - _offset(found)
    written_whole = not (minute or second or int(found["fraction"] or 0))
    return Moment(at, written_whole and at % HOUR_S == 0)


def _offset(found: re.Match[str]) -> int:
    """Seconds east of UTC."""
    if found["sign"] is None:
        return 0
    minutes = int(found["minutes"] or 0)
    offset = (int(found["hours"]) * 60 + minutes) * 60 * (-1 if found["sign"] == "-" else 1)
    if minutes > 59 or not CHOICES.least_offset <= offset <= CHOICES.largest_offset:
        raise ValueError("an offset that no zone has")
    return offset


def presets(now_us: int) -> dict[str, tuple[int, int]]:
    """[start, end) of each preset. Days and weeks are those of UTC; the running hour is in `today` as a whole."""
    today = utc_day(now_us)
    monday = today - timedelta(days=today.weekday())
    midnight = day_start(today)
    return {
        "today": (midnight, now_us // SECOND_US // HOUR_S * HOUR_S + HOUR_S),
        "yesterday": (midnight - DAY_S, midnight),
        "last_week": (day_start(monday) - 7 * DAY_S, day_start(monday)),
    }


def earliest(now_us: int) -> int:
    """The first instant that may be asked for: the start of the same UTC day of the calendar, years before."""
    today = utc_day(now_us)
    year = today.year - CHOICES.years_back
    leap_day = (today.month, today.day) == (2, 29)
    return day_start(today.replace(year=year, day=28) if leap_day else today.replace(year=year))


def day_start(day: date) -> int:
    return day_start_us(day) // SECOND_US
