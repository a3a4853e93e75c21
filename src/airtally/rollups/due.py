"""Decides what a rebuild does next: which stale days are due, and which day files are merged into their month's file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from airtally.kit.time import SECOND_US
from airtally.rollups.rollups import Rollups
from airtally.rollups.segment_files import OWN_ROWS
from airtally.rollups.table import MonthSegments, RollupTableVersion, StoredFile
from airtally.rollups.units import RebuildUnit, month_of
from airtally.storage.lake import LakeTable, TableVersion
from airtally.streams.rollup import Rollup


@dataclass(frozen=True, slots=True)
class RebuildPolicy:
    """When a stale day is rebuilt: `quiet_seconds` after its last change, or `longest_seconds` after its first.

    A month with more than `day_files` day files is merged into one month file, and so is one whose newest day file is
    older than `merge_seconds`. A step rebuilds at most `groups_a_step` groups of accounts' months.
    """

    day_files: int = 8
    quiet_seconds: float = 60.0
    longest_seconds: float = 600.0
    merge_seconds: float = 3600.0
    groups_a_step: int = 4


#: Everything that is stale, at once: `airtally lake rollups`.
EAGER = RebuildPolicy(quiet_seconds=0.0, longest_seconds=0.0, merge_seconds=0.0, groups_a_step=1 << 30)

#: Files of a month that have few rows of few accounts; of more than so many the accounts' months are merged.
_SMALL_FILES = 128
_FEW_ACCOUNTS = 64

_DayKey = tuple[str, str, str]


class RebuildPlanner:
    """Remembers what was stale, and when each stale day was seen to change. Not thread-safe: of one rebuilder's loop.

    What it remembers of days is bounded by those that are stale: each plan drops the others. Accounts are looked at only
    where the lake, the segments or the time zones are others than at the last plan: a table that rests costs the same
    however many accounts it has.
    """

    def __init__(self, rollups: Rollups) -> None:
        self._rollups = rollups
        self._clock = rollups.lake.clock
        self._changes: dict[_DayKey, _DayChange] = {}
        self._first_versions: dict[str, int] = {}
        self._looked: dict[str, _Looked] = {}

    def units(self, table: LakeTable, rollup: Rollup, policy: RebuildPolicy) -> list[RebuildUnit]:
        """What is due now, by account and month."""
        view = table.newest()
        if view is None:
            return []
        self._first_versions.setdefault(rollup.name, view.version)
        self._rollups.changed_days(table).keep(view)
        units = list(self._due_units(self._look(table, view, rollup), rollup, policy))
        gone = self._rollups.deleted() if units else ()
        return [unit for unit in units if unit.account not in gone]

    def done(self, rollup: Rollup, unit: RebuildUnit) -> None:
        """Forget the changes of days that were rebuilt."""
        for day in unit.days:
            self._changes.pop((rollup.name, unit.account, day), None)

    def _look(self, table: LakeTable, view: TableVersion, rollup: Rollup) -> _Looked:
        segments, first = self._rollups.table(rollup).newest(), self._rollups.kept_from(rollup)
        seen = _Seen(view, segments, first, self._rollups.zones() if rollup.local else None)
        looked = self._looked.get(rollup.name)
        if looked is None or not looked.seen.same_as(seen):
            looked = self._looked[rollup.name] = self._look_anew(table, rollup, seen)
        return looked

    def _look_anew(self, table: LakeTable, rollup: Rollup, seen: _Seen) -> _Looked:
        looked, segments, gone = _Looked(seen), seen.segments, self._rollups.deleted()
        for account, changed in self._rollups.changed_days(table).by_account(seen.view).items():
            zone = None if seen.zones is None else seen.zones.get(account, "UTC")
            for day in self._rollups.stale_days(account, segments, changed, seen.view.version, zone):
                if day >= seen.first:
                    looked.stale[account, day[:7]][day] = changed[day]
        if segments is not None:
            looked.note_files(segments, gone)
        stale = {(rollup.name, account, day) for (account, _), days in looked.stale.items() for day in days}
        self._changes = {key: each for key, each in self._changes.items() if key[0] != rollup.name or key in stale}
        return looked

    def _due_units(self, looked: _Looked, rollup: Rollup, policy: RebuildPolicy) -> Iterator[RebuildUnit]:
        segments = looked.seen.segments
        for (account, month), days in sorted(looked.stale.items()):
            due = [day for day, version in days.items() if self._is_due((rollup.name, account, day), version, policy)]
            if due:
                yield _unit(account, month, sorted(due), month_of(segments, account, month), policy)
        rest = {key for key, newest_ms in looked.open.items() if self._is_quiet(newest_ms, policy)}
        for file, accounts in looked.crowded:
            rest.update((account, file.month) for account in accounts)
        for file, accounts in looked.shared:
            months = {(account, file.month) for account in accounts}
            holed = len(accounts) < len(file.claims.rows)
            if (holed or not rest.isdisjoint(months)) and self._is_quiet(file.modified_at_ms, policy):
                rest |= months
        for account, month in sorted(rest - looked.stale.keys()):
            yield RebuildUnit(account, month, (), merge=True)

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

    def _is_quiet(self, newest_ms: int, policy: RebuildPolicy) -> bool:
        return self._clock.now_us() - newest_ms * 1000 >= policy.merge_seconds * SECOND_US


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a plan was made of. `zones` are the time zones by account, None where they do not matter."""

    view: TableVersion
    segments: RollupTableVersion | None
    first: str
    zones: Mapping[str, str] | None

    def same_as(self, other: _Seen) -> bool:
        same = self.view is other.view and self.segments is other.segments
        return same and (self.first, self.zones) == (other.first, other.zones)


@dataclass(slots=True)
class _Looked:
    """What there is to do. By account and month: `stale` days with their last change, `open` the newest day file (ms).

    `shared` month files come with the accounts that read them: they are merged together, and so are the others if one
    has left dead rows behind. `crowded` files are so many small ones of a month that they are merged at once: accounts
    that change at different times get a file for a few each time.
    """

    seen: _Seen
    stale: dict[tuple[str, str], dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    open: dict[tuple[str, str], int] = field(default_factory=dict)
    shared: list[tuple[StoredFile, list[str]]] = field(default_factory=list)
    crowded: list[tuple[StoredFile, list[str]]] = field(default_factory=list)

    def note_files(self, segments: RollupTableVersion, gone: Collection[str]) -> None:
        """`gone` accounts get nothing built."""
        held: dict[str, list[str]] = defaultdict(list)
        for account in segments.slugs:
            for month, found in segments.months(account).items() if account not in gone else ():
                for file in found.files:
                    held[file.name].append(account)
                if found.day_files:
                    self.open[account, month] = max(file.modified_at_ms for file in found.day_files.values())
        alike: dict[tuple[str, str | None], list[StoredFile]] = defaultdict(list)
        for file in segments.files:
            if file.data.rows < OWN_ROWS and len(file.claims.rows) < _FEW_ACCOUNTS:
                alike[file.month, file.zones].append(file)
            if file.day is None and file.claims.shared:
                self.shared.append((file, held[file.name]))
        crowded = (file for files in alike.values() if len(files) > _SMALL_FILES for file in files)
        self.crowded = [(file, held[file.name]) for file in crowded]


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
