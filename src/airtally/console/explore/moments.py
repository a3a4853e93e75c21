"""Moments as the form has them: on the clocks of a zone, with an offset only where the clocks do not tell."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from airtally.api.query.body import Grain
from airtally.kit.time import DAY_US, from_datetime
from airtally.kit.zones import named_zone
from airtally.query.ranges import RangeClock, parse_range

_HOUR_US = DAY_US // 24
#: The longest range that each grain is taken for, so that a chart has at most some 200 intervals.
_LONGEST = (
    (3 * _HOUR_US, Grain.MINUTE),
    (2 * DAY_US, Grain.QUARTER),
    (8 * DAY_US, Grain.HOUR),
    (200 * DAY_US, Grain.DAY),
    (1400 * DAY_US, Grain.WEEK),
)
_UTC = ZoneInfo("UTC")


def zone_or_utc(name: str) -> ZoneInfo:
    """The zone; UTC for a name that there is none of, which the API refuses."""
    try:
        return named_zone(name)
    except ValueError:
        return _UTC


def plain_moment(text: str, zone: str) -> str:
    """`2026-11-01T00:30:00` for whatever names that moment on the zone's clocks; what is no moment stays as it is.

    Of an hour that the clocks show twice, the second keeps its offset.
    """
    text = text.strip()
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            return moment.isoformat()
        wall = moment.astimezone(zone_or_utc(zone))
        is_plain = wall.replace(fold=0).astimezone(UTC) == moment.astimezone(UTC)
        return wall.replace(tzinfo=None, fold=0).isoformat() if is_plain else wall.isoformat()
    except (ValueError, OverflowError):
        return text


def sent_moment(text: str, zone: ZoneInfo, *, local: bool) -> str:
    """As the API takes it: with an offset, but for a stream of local times. What is no moment stays as it is."""
    try:
        moment = datetime.fromisoformat(text)
        if local:
            return (moment.astimezone(zone).replace(tzinfo=None) if moment.tzinfo else moment).isoformat()
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).isoformat()
    except (ValueError, OverflowError):
        return text


@dataclass(frozen=True, slots=True)
class AskedInterval:
    """The range of a state, `start` and `end` as the API takes them. `now_us` is the moment that words refer to."""

    range: str
    start: str
    end: str
    zone: ZoneInfo
    local: bool
    now_us: int

    def fitting_grain(self) -> Grain:
        """The finest with at most some 200 intervals; a day where the range cannot be read."""
        length = self._length_us()
        if length is None:
            return Grain.DAY
        return next((grain for most, grain in _LONGEST if length <= most), Grain.MONTH)

    def _length_us(self) -> int | None:
        try:
            if self.range:
                found = parse_range(self.range, RangeClock(self.now_us, self.zone, local=self.local))
                return found.end_us - found.start_us
            first, last = (datetime.fromisoformat(each) for each in (self.start, self.end))
            if self.local:
                first, last = (each.replace(tzinfo=UTC) for each in (first, last))
            return from_datetime(last) - from_datetime(first)
        except (ValueError, OverflowError, TypeError):
            return None
