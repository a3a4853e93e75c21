"""What keeps the tables small and quick: compaction, expiry, vacuum, short logs. Never in the way of reads or writes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Protocol

import structlog

from airtally.kit import metrics
from airtally.kit.time import HOUR_US, utc_day
from airtally.lake.compaction import CompactionPolicy, Compactor, Runner
from airtally.lake.delta import Conflicted
from airtally.lake.lake import Lake
from airtally.lake.parts import removed
from airtally.lake.table import EXPIRED, LakeTable
from airtally.lake.upkeep import Upkeep
from airtally.lake.view import LakeView, LiveFile
from airtally.streams.declaration import Partition, Stream

_STEP_SECONDS = 10.0
_DAYS_A_STEP = 4
_TRIES = 5
#: Rows of a stream with rollups stay a day over their limit: what was acknowledged just before it is counted by then.
_GRACE = timedelta(days=1)

_log = structlog.get_logger()


class Derived(Protocol):
    """What is made of a table's rows, and must have seen them before they or their commits go."""

    def read_log(self, table: LakeTable) -> None:
        """Called before the commits so far may be cleaned up."""
        ...

    def finish(self, table: LakeTable, view: LakeView, before: date) -> bool:
        """Whether all is made of the rows of the days before; then nothing of those days is made anew."""
        ...


class NothingDerived:
    """Of a lake's tables alone."""

    def read_log(self, table: LakeTable) -> None:
        """Nobody reads it."""

    def finish(self, table: LakeTable, view: LakeView, before: date) -> bool:  # noqa: ARG002 (part of the protocol)
        return True


class Maintenance:
    """The step of a background loop; any number of processes may run it at once.

    `retention` gives the days a stream's rows are kept, None for ever. `settled` tells whether no row of the
    days before is still on its way into the lake.
    """

    def __init__(
        self,
        lake: Lake,
        runner: Runner,
        *,
        retention: Callable[[Stream], int | None],
        oldest_job_us: Callable[[], int | None] = lambda: None,
        policy: CompactionPolicy | None = None,
        scratch: Path | None = None,
        memory: int = 512 << 20,
        derived: Derived | None = None,
        settled: Callable[[Stream, date], bool] = lambda *_: True,
    ) -> None:
        self._lake = lake
        self._runner = runner
        self._retention = retention
        self._policy = policy or CompactionPolicy()
        self._scratch = scratch
        self._memory = memory
        self._derived = derived or NothingDerived()
        self._settled = settled
        self.upkeep = Upkeep(lake.clock, oldest_job_us)

    def step(self) -> float:
        """A bounded amount of each table's due work; returns the seconds to wait."""
        busy, failed = False, None
        for table in self._lake.existing():
            try:
                busy |= self._care_for(table)
            except Exception as error:  # noqa: BLE001 (one table's trouble is not another's)
                _log.exception("care of a table failed", stream=table.name)
                failed = failed or error
        if failed is not None:
            raise failed
        return 0.0 if busy else _STEP_SECONDS

    def compact(self, table: LakeTable, policy: CompactionPolicy, *, at_most: int | None = None) -> int:
        """Returns how many days were rewritten."""
        scratch = None if self._scratch is None else str(self._scratch)
        return Compactor(table, self._runner, memory=self._memory, scratch=scratch).run(policy, at_most=at_most)

    def expire(self, table: LakeTable) -> int:
        """Remove the days that are older than the stream's retention; returns how many rows.

        None before all rollups made of them are current.
        """
        before = self._kept_from(table.stream)
        for _ in range(_TRIES):
            view = table.view()
            gone = [] if view is None or before is None else _before(view, before)
            if before is None or not gone or not self._settled(table.stream, before):
                return 0
            view = table.view()
            if view is None or not self._derived.finish(table, view, before):
                return 0
            gone = _before(view, before)
            try:
                _remove(table, view, gone, before)
            except Conflicted:
                continue
            rows = sum(file.data.rows for file in gone)
            metrics.ROWS_EXPIRED.labels(table.name).inc(rows)
            _log.info("expired", stream=table.name, files=len(gone), rows=rows)
            return rows
        return 0

    def _care_for(self, table: LakeTable) -> bool:
        """True where there is more to compact."""
        due = self.upkeep.due(table)
        now = self._lake.clock.now_us()
        if "expire" not in due.at or due("expire", now, HOUR_US):
            due.at["expire"] = now
            self.expire(table)
        self._derived.read_log(table)
        self.upkeep.care_for(table)
        # last: a day that cannot be compacted must not keep the log from being cleaned
        return self.compact(table, self._policy, at_most=_DAYS_A_STEP) == _DAYS_A_STEP

    def _kept_from(self, stream: Stream) -> date | None:
        """The first day whose rows stay."""
        days = self._retention(stream)
        if days is None or stream.partition is Partition.NONE:
            return None
        first = utc_day(self._lake.clock.now_us()) - timedelta(days=days)
        return first - _GRACE if stream.rollups else first


def _before(view: LakeView, day: date) -> list[LiveFile]:
    first = day.isoformat()
    return [file for file in view.files if file.data.day is not None and file.data.day < first]


def _remove(table: LakeTable, view: LakeView, files: list[LiveFile], before: date) -> None:
    now_ms = table.clock.now_us() // 1000
    actions = [removed(file, now_ms, data_change=True) for file in files]
    expired = max(before.toordinal(), view.committed(EXPIRED))
    table.replace(table.open_version(view.version), view, actions, **{EXPIRED: expired})
