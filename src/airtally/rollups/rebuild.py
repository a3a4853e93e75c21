"""Keeps segments current: builds the stale ones anew and replaces their files in one commit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import structlog

from airtally.engine.child import HeavyOptions
from airtally.kit import metrics
from airtally.kit.runner import Runner
from airtally.kit.troubles import Troubles
from airtally.rollups.build import build_in_child
from airtally.rollups.commit import replace_files
from airtally.rollups.due import EAGER, RebuildPlanner, RebuildPolicy
from airtally.rollups.expiry import SegmentExpiry
from airtally.rollups.rollups import Rollups
from airtally.rollups.segment_files import BuiltFile
from airtally.rollups.table import RollupTableVersion
from airtally.rollups.units import (
    RebuildGroup,
    RebuildUnit,
    add_action,
    build_task,
    days_of,
    grouped,
    month_of,
    replaced_files,
    rows_of_units,
)
from airtally.storage.lake import LakeTable, TableVersion
from airtally.storage.lake.delta import CommitConflict
from airtally.storage.lake.upkeep import Upkeep
from airtally.streams.rollup import Rollup

__all__ = ["EAGER", "RebuildPolicy", "Rebuilder"]

_STEP_SECONDS = 5.0
_TRIES = 5

_log = structlog.get_logger()


class Rebuilder:
    """The step of a background loop, called by one thread at a time; `expiry` may be used by others meanwhile.

    Any number of processes may run it: the table takes one commit, and the others plan anew.
    """

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
        self.expiry = SegmentExpiry(rollups)
        self._planner = RebuildPlanner(rollups)
        self._troubles = Troubles() if troubles is None else troubles
        self._rollups = rollups
        self._runner = runner
        self._options = options
        self._policy = policy or RebuildPolicy()
        self._clock = rollups.lake.clock
        self._upkeep = Upkeep(self._clock, oldest_job_us)

    def step(self) -> float:
        """Do a bounded amount of work; returns the seconds until the next step.

        A rollup that fails is put off with growing waits, while the others go on.
        """
        busy = False
        for table in self._tables():
            for rollup in table.stream.rollups:
                key = "rollup", rollup.name
                if self._troubles.waits(key):
                    continue
                try:
                    busy |= self.care_for(table, rollup)
                except Exception as error:  # noqa: BLE001 (one rollup's trouble is not another's)
                    self._troubles.failed(key, f"care of rollup {rollup.name}", error)
                    metrics.ROLLUP_FAILURES.labels(rollup.name).inc()
                    _log.exception("care of a rollup failed", rollup=rollup.name)
                else:
                    self._troubles.well(key)
        return 0.0 if busy else _STEP_SECONDS

    def care_for(self, table: LakeTable, rollup: Rollup) -> bool:
        """Build what is due and remove what is too old; returns whether more may be due.

        An account's month that cannot be built is put off with growing waits.
        """
        try:
            return self._build_due(table, rollup, self._policy, put_off=True).groups >= self._policy.groups_a_step
        finally:
            for each in rollup.versions:
                segments = self._rollups.table(each)
                if segments.exists():
                    self.expiry.expire(each)
                    self._upkeep.care_for(segments)

    def rebuild(self, table: LakeTable, rollup: Rollup, policy: RebuildPolicy | None = None) -> int:
        """Build what is due; returns how many months of accounts were changed.

        A unit that cannot be built does not stop the others. Its error is raised at the end.
        """
        done = self._build_due(table, rollup, policy or self._policy, put_off=False)
        if done.error is not None:
            raise done.error
        return done.months

    def _build_due(self, table: LakeTable, rollup: Rollup, policy: RebuildPolicy, *, put_off: bool) -> _Done:
        """With `put_off`, units that failed before wait for their turn."""
        done = _Done()
        for _ in range(_TRIES):
            before, done.lost = done.months, 0
            units = self._planner.units(table, rollup, policy)
            units = [each for each in units if each not in done.failed]
            if put_off:
                units = [each for each in units if not self._troubles.waits(_trouble_key(rollup, each))]
            for group in self._groups(rollup, units):
                if done.groups >= policy.groups_a_step:
                    break
                self._build_apart(table, rollup, group, done)
                done.groups += 1
            if done.groups >= policy.groups_a_step or (done.months == before and not done.lost):
                break
        self.expiry.drop_replaced(table, rollup)
        return done

    def _groups(self, rollup: Rollup, units: list[RebuildUnit]) -> Iterator[RebuildGroup]:
        zones = self._rollups.zones() if rollup.local and units else {}
        segments = self._rollups.table(rollup).newest()
        return grouped(units, segments, lambda account: zones.get(account, "UTC") if rollup.local else None)

    def _build_apart(self, table: LakeTable, rollup: Rollup, group: RebuildGroup, done: _Done) -> None:
        """Build a group; where that fails, each half of it, so that only the accounts fail that cannot be built."""
        try:
            self._rebuild_group(table, rollup, group)
        except CommitConflict:
            done.lost += 1
        except Exception as error:  # noqa: BLE001 (whatever it is, other accounts are not to wait for it)
            if len(group.units) > 1:
                for half in group.halves():
                    self._build_apart(table, rollup, half, done)
                return
            [unit] = group.units
            _log.exception("segments not built", rollup=rollup.name, account=unit.account, month=unit.month)
            done.add(unit, error)
            self._put_off(rollup, unit, error)
        else:
            done.months += len(group.units)
            for unit in group.units:
                self._troubles.well(_trouble_key(rollup, unit))

    def _put_off(self, rollup: Rollup, unit: RebuildUnit, error: Exception) -> None:
        metrics.ROLLUP_FAILURES.labels(rollup.name).inc()
        words = f"rollup {rollup.name}, {unit.account}, {unit.month}"
        self._troubles.failed(_trouble_key(rollup, unit), words, error)

    def _rebuild_group(self, table: LakeTable, rollup: Rollup, group: RebuildGroup) -> None:
        """The segments are read before the rows, so that a month that changes meanwhile makes the commit fail."""
        segments, view = self._rollups.open_segments(rollup), table.newest()
        assert view is not None  # noqa: S101 (planned from one)
        zone = self._zone_of(rollup, group)
        if group.merge:
            group = self._with_all_stale_days(view, table, rollup, segments, group, zone)
        segment_table, rows = self._rollups.table(rollup), rows_of_units(table, view, group)
        task = build_task(segment_table, rows, group, segments, zone or "UTC")
        segment_table.faults.reach("rollup.build")
        built = self._runner.run(build_in_child, self._options, task)
        segment_table.faults.reach("rollup.commit")
        new = [add_action(each, task, segments, self._clock.now_us() // 1000) for each in built]
        gone = replaced_files(segments, group)
        try:
            replace_files(self._rollups, segment_table, segments, gone, new, source=view.version)
        except CommitConflict:
            self._delete(rollup, built)
            raise
        self._note(rollup, group)

    def _note(self, rollup: Rollup, group: RebuildGroup) -> None:
        units = group.units
        for unit in units:
            self._planner.done(rollup, unit)
        metrics.ROLLUP_SEGMENTS.labels(rollup.name).inc(sum(len(unit.days) for unit in units))
        alone = units[0].account if len(units) == 1 else None
        numbers = {"accounts": len(units), "days": len(group.days)}
        _log.info("segments built", rollup=rollup.name, account=alone, month=group.month, **numbers)

    def _delete(self, rollup: Rollup, built: list[BuiltFile]) -> None:
        """Remove files that no commit names."""
        for each in built:
            self._rollups.table(rollup).storage.delete(each.name)

    def _zone_of(self, rollup: Rollup, group: RebuildGroup) -> str | None:
        """The time zone of the accounts' cells, None where it does not matter. Raises ValueError where one changed."""
        if not rollup.local:
            return None
        zones = self._rollups.zones()
        found = {zones.get(unit.account, "UTC") for unit in group.units}
        if len(found) > 1:
            raise ValueError("the time zone of an account has changed since the group was made")
        return found.pop()

    def _with_all_stale_days(  # noqa: PLR0917 (all of them say what is stale)
        self,
        view: TableVersion,
        table: LakeTable,
        rollup: Rollup,
        segments: RollupTableVersion,
        group: RebuildGroup,
        zone: str | None,
    ) -> RebuildGroup:
        """A month file has one source version for all its days, so all stale days are built with it."""
        changes, first = self._rollups.changed_days(table), self._rollups.kept_from(rollup)
        rows_from = "" if zone is None else self._rollups.rows_from(table.stream)
        units = []
        for unit in group.units:
            changed = changes.of_account(unit.account, view)
            days = {*unit.days, *self._rollups.stale_days(unit.account, segments, changed, view.version, zone)}
            if zone is not None:  # days without rows too, so that they are known to be empty by days of the new zone
                month = month_of(segments, unit.account, unit.month)
                days |= {day for day in days_of(unit.month) if day >= rows_from and month.zone(day) != zone}
            wanted = sorted(day for day in days if day[:7] == unit.month and day >= first)
            units.append(replace(unit, days=tuple(wanted)))
        return RebuildGroup(tuple(units))

    def _tables(self) -> Iterator[LakeTable]:
        return (table for table in self._rollups.lake.existing() if table.stream.rollups)


def _trouble_key(rollup: Rollup, unit: RebuildUnit) -> tuple[str, ...]:
    return "rollup", rollup.name, unit.account, unit.month


@dataclass(slots=True)
class _Done:
    """What was done: groups, and months of accounts in them; conflicts lost, units that failed, the first error."""

    groups: int = 0
    months: int = 0
    lost: int = 0
    failed: set[RebuildUnit] = field(default_factory=set)
    error: Exception | None = None

    def add(self, unit: RebuildUnit, error: Exception) -> None:
        self.failed.add(unit)
        self.error = self.error or error
