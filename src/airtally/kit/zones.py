"""Clock changes of a time zone, and its local days as intervals of instants."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from airtally.kit.time import DAY_US, day_start_us, to_datetime, utc_day

#: Instants within this of the ends of Python's years have no local time in every zone.
_FIRST_US, _LAST_US = day_start_us(date(1, 1, 3)), day_start_us(date(9999, 12, 29))


@cache
def _names() -> frozenset[str]:
    return frozenset(available_timezones() - {"localtime"})  # the zone of this machine


@cache
def zone_names() -> tuple[str, ...]:
    """All that `named_zone` takes, in order."""
    return tuple(sorted(_names()))


def named_zone(name: str) -> ZoneInfo:
    """Raises ValueError for a name that IANA does not have.

    ZoneInfo itself accepts paths, and shows them in its errors.
    """
    if name not in _names():
        raise ValueError(f"there is no time zone {name[:64]!r}")
    return ZoneInfo(name)


@dataclass(frozen=True, slots=True)
class Span:
    """[start_us, end_us) with one offset from UTC."""

    start_us: int
    end_us: int
    offset_us: int


def offset_us(at_us: int, zone: ZoneInfo) -> int:
    """Offset of local time from UTC at an instant; positive east of Greenwich."""
    at_us = min(max(at_us, _FIRST_US), _LAST_US)
    offset = to_datetime(at_us).astimezone(zone).utcoffset() or timedelta()
    return offset // timedelta(microseconds=1)


def spans(start_us: int, end_us: int, zone: ZoneInfo) -> list[Span]:
    """[start_us, end_us) split at clock changes.

    Looks once a day: no zone changed its clock twice in 6 days since 1968.
    """
    if zone.key == "UTC":
        return [Span(start_us, end_us, 0)] if start_us < end_us else []
    found: list[tuple[int, int]] = [(start_us, offset_us(start_us, zone))]
    at_us = start_us
    while at_us < end_us:
        next_us = min(at_us + DAY_US, end_us)
        if offset_us(next_us, zone) != found[-1][1]:
            found.append(_change(at_us, next_us, zone))
        at_us = next_us
    ends = [*(begin for begin, _ in found[1:]), end_us]
    return [Span(begin, end, offset) for (begin, offset), end in zip(found, ends, strict=True) if begin < end]


def local_days(start_us: int, end_us: int, zone: ZoneInfo) -> Iterator[tuple[date, int, int]]:
    """(local date, start, end) of each local day in [start_us, end_us).

    A date comes more than once if the clock was set back over midnight, so that part of it happened twice.
    """
    held: tuple[date, int, int] | None = None
    for day, begin_us, until_us in _days_of_zone(start_us, end_us, zone):
        if held is not None and held[0] == day:
            held = (day, held[1], until_us)
            continue
        if held is not None:
            yield held
        held = (day, begin_us, until_us)
    if held is not None:
        yield held


def _days_of_zone(start_us: int, end_us: int, zone: ZoneInfo) -> Iterator[tuple[date, int, int]]:
    for span in spans(start_us, end_us, zone):
        at_us = span.start_us
        while at_us < span.end_us:
            day = utc_day(at_us + span.offset_us)
            until_us = min(day_start_us(day) + DAY_US - span.offset_us, span.end_us)
            yield day, at_us, until_us
            at_us = until_us


def _change(before_us: int, after_us: int, zone: ZoneInfo) -> tuple[int, int]:
    """The first instant with another offset than `before_us`, and that offset."""
    old = offset_us(before_us, zone)
    while after_us - before_us > 1:
        middle = (before_us + after_us) // 2
        if offset_us(middle, zone) == old:
            before_us = middle
        else:
            after_us = middle
    return after_us, offset_us(after_us, zone)
