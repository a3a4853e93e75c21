"""Decides what a rebuild does next: which stale days are due, and which day files are merged into their month's file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from airtally.kit.time import SECOND_US
from airtally.rollups.rollups import Rollups
from airtally.rollups.table import MonthSegments
from airtally.rollups.units import RebuildUnit, month_of
from airtally.storage.lake import LakeTable, TableVersion
from airtally.streams.rollup import Rollup


@dataclass(frozen=True, slots=True)
class RebuildPolicy:
    """When a stale day is rebuilt: `quiet_seconds` after its last change, or `longest_seconds` after its first.

    A month with more than `day_files` day files is merged into one month file, and so is one whose newest day file is
    older than `merge_seconds`. A step rebuilds at most `units_a_step` months.
    """

    day_files: int = 8
    quiet_seconds: float = 60.0
    longest_seconds: float = 600.0
    merge_seconds: float = 3600.0
    units_a_step: int = 4


#: Everything that is stale, at once: `airtally lake rollups`.
EAGER = RebuildPolicy(quiet_seconds=0.0, longest_seconds=0.0, merge_seconds=0.0, units_a_step=1 << 30)

_DayKey = tuple[str, str, str]


class RebuildPlanner:
    """Remembers when each stale day was seen to change. Not thread-safe: it belongs to one rebuilder's loop.

    What it remembers is bounded by the days that are stale: each plan drops the others.
    """

    def __init__(self, rollups: Rollups) -> None:
        self._rollups = rollups
        self._clock = rollups.lake.clock
        self._changes: dict[_DayKey, _DayChange] = {}
        self._first_versions: dict[str, int] = {}

    def units(self, table: LakeTable, rollup: Rollup, policy: RebuildPolicy) -> list[RebuildUnit]:
        """What is due now, by account and month."""
        view = table.newest()
        if view is None:
            return []
        self._first_versions.setdefault(rollup.name, view.version)
        self._rollups.changed_days(table).keep(view)
        return list(self._due_units(table, view, rollup, policy))

    def done(self, rollup: Rollup, unit: RebuildUnit) -> None:
        """Forget the changes of days that were rebuilt."""
        for day in unit.days:
            self._changes.pop((rollup.name, unit.account, day), None)

    def _due_units(
        self, table: LakeTable, view: TableVersion, rollup: Rollup, policy: RebuildPolicy
    ) -> Iterator[RebuildUnit]:
        segments, first = self._rollups.table(rollup).newest(), self._rollups.kept_from(rollup)
        stale = set()
        for account, changed in self._rollups.changed_days(table).by_account(view).items():
            months: dict[str, list[str]] = defaultdict(list)
            zone = self._rollups.cell_zone(rollup, account)
            for day in self._rollups.stale_days(account, segments, changed, view.version, zone):
                if day >= first:
                    months[day[:7]].append(day)
                    stale.add((rollup.name, account, day))
            for month, days in sorted(months.items()):
                due = [day for day in days if self._is_due((rollup.name, account, day), changed[day], policy)]
                if due:
                    yield _unit(account, month, sorted(due), month_of(segments, account, month), policy)
            for month, found in ({} if segments is None else segments.months(account)).items():
                if month not in months and self._may_merge(found, policy):
                    yield RebuildUnit(account, month, (), merge=True)
        self._changes = {key: each for key, each in self._changes.items() if key[0] != rollup.name or key in stale}

    def _is_due(self, key: _DayKey, version: int, policy: RebuildPolicy) -> bool:
        """A change from before the first plan, as after a start, counts as long ago."""
        now = self._clock.now_us()
        seen = self._changes.get(key)
        if seen is None or seen.version != version:
            at = 0 if version <= self._first_versions[key[0]] else now
            seen = self._changes[key] = _DayChange(version, at, at if seen is None else seen.stale_since)
        # The clock may have been set back.
        seen.changed_at, seen.stale_since = min(seen.changed_at, now), min(seen.stale_since, now)
        quiet = now - seen.changed_at >= policy.quiet_seconds * SECOND_US
        return quiet or now - seen.stale_since >= policy.longest_seconds * SECOND_US

    def _may_merge(self, month: MonthSegments, policy: RebuildPolicy) -> bool:
        if not month.day_files:
            return False
        newest = max(file.modified_at_ms for file in month.day_files.values()) * 1000
        return self._clock.now_us() - newest >= policy.merge_seconds * SECOND_US


@dataclass(slots=True)
class _DayChange:
    """A stale day's last change: its lake version, when it was seen, and since when the day is stale (UTC, in us)."""

    version: int
    changed_at: int
    stale_since: int


def _unit(account: str, month: str, days: list[str], segments: MonthSegments, policy: RebuildPolicy) -> RebuildUnit:
    day_files = set(segments.day_files) | set(days)
    merge = segments.month_file is None or len(day_files) > policy.day_files
    return RebuildUnit(account, month, tuple(days), merge)
