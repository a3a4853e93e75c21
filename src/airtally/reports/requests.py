"""The request for a report."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from airtally.kit.time import SECOND_US, from_datetime


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


def _wall_clock_us(day: str, time: str) -> int:
    return from_datetime(datetime.fromisoformat(f"{day}T{time}").replace(tzinfo=UTC))
