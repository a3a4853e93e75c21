"""The request for a report."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime

import msgspec

from airtally.kit.errors import Unprocessable
from airtally.kit.time import DAY_US, SECOND_US, from_datetime

#: Days of a report at most, if it is not a vendor's wire that asks.
MOST_DAYS = 366


class PlayFilter(msgspec.Struct, frozen=True, rename="camel"):
    """The filter of a detailed report, as it is echoed: texts as on the wire, an empty list means all.

    The interval is continuous, in the players' wall clock, both ends included, compared by whole seconds.
    """

    start_date: str
    start_time: str
    end_date: str
    end_time: str
    media_id: tuple[int, ...] = ()
    player_id: tuple[int, ...] = ()
    sort: int = -1

    @property
    def start_us(self) -> int:
        return _wall_clock_us(self.start_date, self.start_time)

    @property
    def end_us(self) -> int:
        """The first moment after the interval; its last second is included."""
        return _wall_clock_us(self.end_date, self.end_time) + SECOND_US

    @property
    def descending(self) -> bool:
        return self.sort < 0


@dataclass(frozen=True, slots=True)
class ReportRequest:
    """A valid request. `webhook` gets a notice when the report has succeeded or failed."""

    filter: PlayFilter
    webhook: str | None = None
    type: str = "detailed"
    format: str = "json"


def check_interval(plays: PlayFilter) -> None:
    """Raises Unprocessable for an interval that ends before it starts, and for one that is too long."""
    if date.fromisoformat(plays.end_date) == date.max:
        raise Unprocessable(f"A report ends before {date.max}")
    if plays.end_us <= plays.start_us:
        raise Unprocessable("The end of the report is before its start")
    if plays.end_us - plays.start_us > MOST_DAYS * DAY_US:
        raise Unprocessable(f"A report is of {MOST_DAYS} days at most")


def _wall_clock_us(day: str, time: str) -> int:
    return from_datetime(datetime.fromisoformat(f"{day}T{time}").replace(tzinfo=UTC))
