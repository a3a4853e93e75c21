"""Keeps parts current: finds the stale ones, has them made, and puts them in the place of the old in one commit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import structlog
from deltalake.transaction import AddAction

from airtally.engine.child import HeavyOptions
from airtally.kit import metrics
from airtally.kit.runner import Runner
from airtally.kit.time import SECOND_US
from airtally.kit.troubles import Troubles
from airtally.rollups.build import build_in_child
from airtally.rollups.plan import month_end
from airtally.rollups.rollups import Rollups
from airtally.rollups.table import FINAL, KEPT, MonthParts, RollupTable, RollupView, SegmentFile, day_number
from airtally.rollups.units import Unit, added, days_of, job_of, parts_of, removed, rows_of
from airtally.storage.lake import LakeTable, TableVersion
from airtally.storage.lake.delta import CommitConflict
from airtally.storage.lake.upkeep import Upkeep
from airtally.streams import STREAMS
from airtally.streams.declaration import Stream
from airtally.streams.rollup import Rollup

_STEP_SECONDS = 5.0
_TRIES = 5

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class RebuildPolicy:
    """A part is made once its day has been quiet, or stale for long. More than `overlays` days of a month, and
    those of a month that has been quiet, become one base.
    """

    overlays: int = 8
    quiet_seconds: float = 60.0
    longest_seconds: float = 600.0
    merge_seconds: float = 3600.0
    units_a_step: int = 4


#: Everything at once: `airtally lake rollups`.
EAGER = RebuildPolicy(quiet_seconds=0.0, longest_seconds=0.0, merge_seconds=0.0, units_a_step=1 << 30)


class Rebuilder:
    """The step of a background loop; any number of processes may run it at once: one wins, the others plan anew."""

    def __init__(
        self,
        rollups: Rollups,
        runner: Runner,
        options: HeavyOptions,
        *,
        policy: RebuildPolicy | None = None,
        oldest_job_us: Callable[[], int | None] = lambda: None,
        troubles: Troubles | None = None,
    ) -> None:
        self._troubles = Troubles() if troubles is None else troubles
        self._rollups = rollups
        self._runner = runner
        self._options = options
        self._policy = policy or RebuildPolicy()
        self._clock = rollups.lake.clock
        self._upkeep = Upkeep(self._clock, oldest_job_us)
        self._seen: dict[tuple[str, str, str], _Seen] = {}
        self._first_look: dict[str, int] = {}

    def step(self) -> float:
        """A bounded number of parts; returns the seconds to wait. What fails is put off, each by itself."""
        busy = False
        for table in self._tables():
            for rollup in table.stream.rollups:
                key = "rollup", rollup.name
                if self._troubles.waits(key):
                    continue
                try:
                    busy |= self.care_for(table, rollup) >= self._policy.units_a_step
                except Exception as error:  # noqa: BLE001 (one rollup's trouble is not another's)
                    self._troubles.failed(key, f"care of rollup {rollup.name}", error)
                    metrics.ROLLUP_FAILURES.labels(rollup.name).inc()
                    _log.exception("care of a rollup failed", rollup=rollup.name)
                else:
                    self._troubles.well(key)
        return 0.0 if busy else _STEP_SECONDS

    def care_for(self, table: LakeTable, rollup: Rollup) -> int:
        """Make what is due, drop what is too old; returns how many months were changed.

        An account's months that cannot be made are put off with growing waits.
        """
        try:
            return self.rebuild(table, rollup, put_off=True)
        finally:
            for each in rollup.versions:
                parts = self._rollups.table(each)
                if parts.exists():
                    self.expire(each)
                    self._upkeep.care_for(parts)

    def rebuild(
        self, table: LakeTable, rollup: Rollup, policy: RebuildPolicy | None = None, *, put_off: bool = False
    ) -> int:
        """Returns how many months were changed. What cannot be made keeps nothing else from it.

        It is raised last, or with `put_off` left for later.
        """
        policy, done, failed = policy or self._policy, 0, _Failed()
        for _ in range(_TRIES):
            before, lost = done, 0
            for unit in self._planned(table, rollup, policy):
                if unit in failed.units or done >= policy.units_a_step or (put_off and self._is_put_off(rollup, unit)):
                    continue
                try:
                    self._make(table, rollup, unit)
                    done += 1
                except CommitConflict:
                    lost += 1
                except Exception as error:  # noqa: BLE001 (whatever it is, other accounts are not to wait for it)
                    _log.exception("parts cannot be made", rollup=rollup.name, account=unit.account, month=unit.month)
                    failed.add(unit, error)
                    self._put_off(rollup, unit, error)
                else:
                    self._troubles.well(_key(rollup, unit))
            if done >= policy.units_a_step or (done == before and not lost):
                break
        self._retire(table, rollup)
        if not put_off:
            failed.throw()
        return done

    def _is_put_off(self, rollup: Rollup, unit: Unit) -> bool:
        return self._troubles.waits(_key(rollup, unit))

    def _put_off(self, rollup: Rollup, unit: Unit, error: Exception) -> None:
        metrics.ROLLUP_FAILURES.labels(rollup.name).inc()
        self._troubles.failed(_key(rollup, unit), f"rollup {rollup.name}, {unit.account}, {unit.month}", error)

    def _retire(self, table: LakeTable, rollup: Rollup) -> None:
        """Drop the months of earlier versions whose days are all made anew. Those that rows have left stay for ever."""
        view, parts, first = table.view(), self._rollups.table(rollup).view(), self._kept_from(rollup)
        if view is None or parts is None or rollup.earlier is None:
            return
        stale: set[tuple[str, str]] = set()
        for account, changed in self._rollups.changes(table).all(view).items():
            days = self._rollups.stale_days(account, parts, changed, view.version)
            stale.update((account, day[:7]) for day in days)
        for each in rollup.versions[1:]:
            old_table = self._rollups.table(each)
            old = old_table.view()
            accounts = {} if old is None else old.accounts
            months = [(account, month) for account, found in accounts.items() for month in found]
            done = [key for key in months if key not in stale and f"{key[1]}-01" >= first]
            if old is not None and done:
                gone = [file for account, month in done for file in old.accounts[account][month].files]
                self._replace(old_table, old, gone, [])
                _log.info("earlier rollup parts replaced", rollup=rollup.name, version=each.version, files=len(gone))

    def _planned(self, table: LakeTable, rollup: Rollup, policy: RebuildPolicy) -> list[Unit]:
        view = table.view()
        if view is None:
            return []
        self._first_look.setdefault(rollup.name, view.version)
        self._rollups.changes(table).keep(view)
        return list(self._plan(table, view, rollup, policy))

    def forget(self, rollup: Rollup) -> None:
        """Drop the parts of all months that no row has left."""
        table = self._rollups.table(rollup)
        view = table.view()
        if view is not None:
            first = max(view.final_before, self._rollups.rows_from(self._stream(rollup)))
            files = [f for months in view.accounts.values() for m in months.values() for f in m.files]
            self._replace(table, view, [file for file in files if f"{file.month}-01" >= first], [])

    def expire(self, rollup: Rollup) -> int:
        """Drop the months that are older than the rollup's retention; returns how many files.

        None before the last day of its month: a day's file hides that day in the month's.
        """
        limit, table = self._rollups.limit(rollup), self._rollups.table(rollup)
        view = table.view()
        if view is None:
            return 0
        months = (month for account in view.accounts.values() for month in account.items())
        gone = [file for month, parts in months if month_end(month) < limit for file in parts.files]
        if gone:
            first = max(self._kept_from(rollup), f"{limit[:7]}-01")
            self._replace(table, view, gone, [], **{KEPT: day_number(first)})
            _log.info("rollup parts expired", rollup=rollup.name, files=len(gone))
        elif view.has_parts and view.kept_from is None:
            self._replace(table, view, [], [])  # a home of 0.1.0: what is kept of it is noted
        return len(gone)

    def read_log(self, table: LakeTable) -> None:
        """See `lake.maintenance.Derived`."""
        view = table.view() if table.stream.rollups else None
        if view is not None:
            self._rollups.changes(table).keep(view)

    def finish(self, table: LakeTable, view: TableVersion, before: date) -> date | None:
        """See `lake.maintenance.Derived`. Each rollup notes the day, so that all processes know it is final.

        An account's day that cannot be made keeps the rows of that day and of later ones, and no others.
        """
        seen = [(rollup, self._seen_parts(rollup)) for rollup in table.stream.rollups]
        changes = self._rollups.changes(table)
        changed, last = changes.all(view), before.isoformat()
        for rollup, parts in seen:
            last = self._rollups.first_stale(parts, view, changed, (self._kept_from(rollup), last)) or last
        before = date.fromisoformat(last)
        try:
            for rollup, parts in seen:
                if parts.committed(FINAL) < before.toordinal():
                    self._replace(self._rollups.table(rollup), parts, [], [], **{FINAL: before.toordinal()})
        except CommitConflict:
            return None  # parts were changed meanwhile: those that were looked at are not those that would be final
        changes.forget(last)
        return before

    def _seen_parts(self, rollup: Rollup) -> RollupView:
        table = self._rollups.table(rollup)
        table.open()
        parts = table.view()
        assert parts is not None  # noqa: S101 (opening makes it)
        return parts

    def _kept_from(self, rollup: Rollup) -> str:
        """The first day (ISO) whose part is kept, and so is worth to be made."""
        return self._rollups.kept_from(rollup, self._stream(rollup))

    def _stream(self, rollup: Rollup) -> Stream:
        return next(each for each in STREAMS.values() if rollup.name in {own.name for own in each.rollups})

    def _zone(self, rollup: Rollup, account: str) -> str | None:
        """None where the account's zone does not matter."""
        return self._rollups.zones().get(account, "UTC") if rollup.local else None

    def _tables(self) -> Iterator[LakeTable]:
        return (table for table in self._rollups.lake.existing() if table.stream.rollups)

    def _plan(self, table: LakeTable, view: TableVersion, rollup: Rollup, policy: RebuildPolicy) -> Iterator[Unit]:
        parts, first = self._rollups.table(rollup).view(), self._kept_from(rollup)
        stale = set()
        for account, changed in self._rollups.changes(table).all(view).items():
            months: dict[str, list[str]] = defaultdict(list)
            zone = self._zone(rollup, account)
            for day in self._rollups.stale_days(account, parts, changed, view.version, zone):
                if day >= first:
                    months[day[:7]].append(day)
                    stale.add((rollup.name, account, day))
            for month, days in sorted(months.items()):
                due = [day for day in days if self._is_due(rollup, account, day, changed[day], policy)]
                if due:
                    yield _unit(account, month, sorted(due), parts_of(parts, account, month), policy)
            for month, found in ({} if parts is None else parts.months(account)).items():
                if month not in months and self._may_merge(found, policy):
                    yield Unit(account, month, (), merge=True)
        self._seen = {key: seen for key, seen in self._seen.items() if key[0] != rollup.name or key in stale}

    def _is_due(self, rollup: Rollup, account: str, day: str, version: int, policy: RebuildPolicy) -> bool:
        """A change from before the first look, as after a start, counts as long ago."""
        now, key = self._clock.now_us(), (rollup.name, account, day)
        seen = self._seen.get(key)
        if seen is None or seen.version != version:
            at = 0 if version <= self._first_look[rollup.name] else now
            seen = self._seen[key] = _Seen(version, at, at if seen is None else seen.since)
        seen.at, seen.since = min(seen.at, now), min(seen.since, now)  # the clock may have been set back
        quiet = now - seen.at >= policy.quiet_seconds * SECOND_US
        return quiet or now - seen.since >= policy.longest_seconds * SECOND_US

    def _may_merge(self, month: MonthParts, policy: RebuildPolicy) -> bool:
        if not month.days:
            return False
        newest = max(file.modified_at_ms for file in month.days.values()) * 1000
        return self._clock.now_us() - newest >= policy.merge_seconds * SECOND_US

    def _make(self, table: LakeTable, rollup: Rollup, unit: Unit) -> None:
        """The parts are looked at before the rows: a month changed meanwhile makes the commit fail."""
        parts_table = self._rollups.table(rollup)
        parts, view = self._seen_parts(rollup), table.view()
        assert view is not None  # noqa: S101 (planned from one)
        unit = self._as_of(view, table, rollup, parts, unit)
        month = parts_of(parts, unit.account, unit.month)
        zone = self._zone(rollup, unit.account) or "UTC"
        job = job_of(parts_table, rows_of(table, view, unit), unit, month, zone)
        built = self._runner.run(build_in_child, self._options, job)
        gone = list(month.files) if unit.merge else [month.days[day] for day in unit.days if day in month.days]
        try:
            found = [added(each, job, month, self._clock.now_us() // 1000) for each in built]
            self._replace(parts_table, parts, gone, found, source=view.version)
        except CommitConflict:
            for each in built:
                parts_table.storage.delete(each.name)
            raise
        for day in unit.days:
            self._seen.pop((rollup.name, unit.account, day), None)
        metrics.ROLLUP_PARTS.labels(rollup.name).inc(len(unit.days))
        _log.info("rollup parts made", rollup=rollup.name, account=unit.account, month=unit.month, days=len(unit.days))

    def _as_of(self, view: TableVersion, table: LakeTable, rollup: Rollup, parts: RollupView, unit: Unit) -> Unit:
        """A base says of all its days that they are of one version: every stale one is made with it."""
        if not unit.merge:
            return unit
        changed = self._rollups.changes(table).of(unit.account, view)
        first, zone = self._kept_from(rollup), self._zone(rollup, unit.account)
        days = {*unit.days, *self._rollups.stale_days(unit.account, parts, changed, view.version, zone)}
        if zone is not None:  # days without rows as well, so that the account's days can be told of them
            month, left = parts_of(parts, unit.account, unit.month), self._rollups.rows_from(table.stream)
            days |= {day for day in days_of(unit.month) if day >= left and month.zone(day) != zone}
        return replace(unit, days=tuple(sorted(day for day in days if day[:7] == unit.month and day >= first)))

    def _replace(
        self, table: RollupTable, view: RollupView, gone: list[SegmentFile], new: list[AddAction], **more: int
    ) -> None:
        now_ms = self._clock.now_us() // 1000
        actions: list[Any] = [*new, *(removed(file, now_ms) for file in gone)]
        if view.kept_from is None:
            more = {KEPT: day_number(self._kept_from(table.rollup)), **more}
        table.replace(table.open_version(view.version), view, actions, **more)


def _key(rollup: Rollup, unit: Unit) -> tuple[str, ...]:
    return "rollup", rollup.name, unit.account, unit.month


@dataclass(slots=True)
class _Failed:
    """What could not be made, and why the first of it could not."""

    units: set[Unit] = field(default_factory=set)
    error: Exception | None = None

    def add(self, unit: Unit, error: Exception) -> None:
        self.units.add(unit)
        self.error = self.error or error

    def throw(self) -> None:
        if self.error is not None:
            raise self.error


@dataclass(slots=True)
class _Seen:
    """The change of a day that was seen last, when, and since when the day has been stale."""

    version: int
    at: int
    since: int


def _unit(account: str, month: str, days: list[str], parts: MonthParts, policy: RebuildPolicy) -> Unit:
    overlays = set(parts.days) | set(days)
    return Unit(account, month, tuple(days), merge=parts.base is None or len(overlays) > policy.overlays)
