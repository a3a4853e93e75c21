"""Cron expressions of five fields, as Debian's cron reads them; cronsim parses them and finds the times that match.

cronsim is given wall clock times without a zone: its own rules for zones find other times from other starting points
where clocks change by half an hour or at midnight. `slots.py` has ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from cronsim import CronSim, CronSimError

from airtally.kit.time import from_datetime, to_datetime

EXPECTED = (
    "expected a cron expression of five fields (minute, hour, day of month, month, day of week) such as `0 6 * * MON-FRI`, "
    "or one of @hourly, @daily, @weekly, @monthly, @yearly"
)
_NAMED = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_MOST_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class CronExpression:
    """`text` has five fields. Times are wall clock in microseconds, written as if it were UTC, on whole minutes."""

    text: str

    @classmethod
    def parse(cls, text: str) -> CronExpression:
        """Raises ValueError for what is no expression, and for one that no day of fifty years matches."""
        if len(text) > _MOST_CHARACTERS:
            raise ValueError(f"a cron expression has at most {_MOST_CHARACTERS} characters")
        fields = _NAMED.get(text.strip().lower(), text).split()
        if len(fields) != 5 or not text.isascii():
            raise ValueError(f"{EXPECTED}, not {text[:64]!r}")
        found = cls(" ".join(fields))
        try:
            first = next(found.walls(0), None)
        except (CronSimError, AssertionError) as error:
            raise ValueError(f"{EXPECTED}; {str(error).lower() or 'unknown form'} in {text[:64]!r}") from None
        if first is None:
            raise ValueError(f"no day matches {text[:64]!r}")
        return found

    @property
    def by_interval(self) -> bool:
        """Whether it repeats through every hour or every day, as `*/15 * * * *` does, rather than at times of the clock."""
        minute, hour, *_ = self.text.split()
        return minute.startswith("*") or hour.startswith("*")

    def walls(self, start_us: int, end_us: int | None = None) -> Iterator[int]:
        """The matching times in [start_us, end_us), earliest first; without an end until none comes for fifty years."""
        for found in CronSim(self.text, _naive(start_us - 1)):
            at = from_datetime(found.replace(tzinfo=UTC))
            if end_us is not None and at >= end_us:
                return
            yield at

    def walls_back(self, start_us: int, end_us: int) -> Iterator[int]:
        """The matching times in [start_us, end_us), latest first."""
        for found in CronSim(self.text, _naive(end_us), reverse=True):
            at = from_datetime(found.replace(tzinfo=UTC))
            if at < start_us:
                return
            yield at

    def any_wall(self, start_us: int, end_us: int) -> bool:
        """Whether a time in [start_us, end_us) matches."""
        return next(self.walls(start_us, end_us), None) is not None


def _naive(wall_us: int) -> datetime:
    return to_datetime(wall_us).replace(tzinfo=None)
