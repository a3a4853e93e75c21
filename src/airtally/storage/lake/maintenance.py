"""The background work on tables: compaction, expiry, vacuum, short logs. It never blocks reads or writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Protocol

import structlog

from airtally.kit import metrics
from airtally.kit.runner import Runner
from airtally.kit.time import HOUR_US, utc_day
from airtally.kit.troubles import Troubles
from airtally.storage.lake.compaction import CompactionPolicy, Compactor
from airtally.storage.lake.data_files import removed
from airtally.storage.lake.delta import CommitConflict
from airtally.storage.lake.lake import Lake
from airtally.storage.lake.table import EXPIRED, LakeTable
from airtally.storage.lake.table_version import LiveFile, TableVersion
from airtally.storage.lake.upkeep import Upkeep
from airtally.streams.declaration import Partition, Stream

_STEP_SECONDS = 10.0
_DAYS_A_STEP = 4
_TRIES = 5
#: Rows of a stream with rollups stay a day over their limit: what was acknowledged just before it is counted by then.
_GRACE = timedelta(days=1)

_log = structlog.get_logger()


class Derived(Protocol):
    """Rollups, as maintenance sees them: made of a table's rows, which they must have read before those are removed."""

    def read_log(self, table: LakeTable) -> None:
        """Called before the commits so far may be cleaned up."""
        ...

    def finish(self, table: LakeTable, table_version: TableVersion, before: date) -> date | None:
        """The day, `before` at most, before which all is made of the rows; nothing of those days is made anew then.

        None where that cannot be said now.
        """
        ...


class NothingDerived:
    """For tables without rollups."""

    def read_log(self, table: LakeTable) -> None:
        """Does nothing."""

    def finish(self, table: LakeTable, table_version: TableVersion, before: date) -> date | None:  # noqa: ARG002 (of the protocol)
        return before


class Maintenance:
    """The step of a background loop; any number of processes may run it at once.

    `retention` has the days that rows are kept by the name of the stream, None for ever. `settled` tells whether no row of the
    days before is still on its way into the lake.
    """

    def __init__(
        self,
        lake: Lake,
        runner: Runner,
        *,
        retention: Mapping[str, int | None],
        oldest_job_us: Callable[[], int | None] = lambda: None,
        policy: CompactionPolicy | None = None,
        scratch: Path | None = None,
        memory: int = 512 << 20,
        derived: Derived | None = None,
        settled: Callable[[Stream, date], bool] = lambda *_: True,
        troubles: Troubles | None = None,
    ) -> None:
        self._lake = lake
        self._runner = runner
        self._retention = retention
        self._policy = policy or CompactionPolicy()
        self._scratch = scratch
        self._memory = memory
        self._derived = derived or NothingDerived()
        self._settled = settled
        self._troubles = Troubles() if troubles is None else troubles
        self.upkeep = Upkeep(lake.clock, oldest_job_us)
        #: The kinds of care for a table, in their order; each says whether there is more of it to do.
        self._work: Mapping[str, Callable[[LakeTable], bool]] = {
            "retention": self._expire_when_due,
            "log and vacuum": self._keep_short,
            "compaction": self._compact_some,
        }

    def step(self) -> float:
        """A bounded amount of each table's due work; returns the seconds to wait.

        Work that fails is put off; other kinds of work, other tables and other days go on.
        """
        busy = False
        for table in self._lake.existing():
            for kind, work in self._work.items():
                busy |= self._done(table, kind, work)
        return 0.0 if busy else _STEP_SECONDS

    def _done(self, table: LakeTable, kind: str, work: Callable[[LakeTable], bool]) -> bool:
        key = kind, table.name
        if self._troubles.waits(key):
            return False
        try:
            busy = work(table)
        except Exception as error:  # noqa: BLE001 (one table's trouble is not another's)
            self._troubles.failed(key, f"{kind} of {table.name}", error)
            metrics.CARE_FAILURES.labels(table.name, kind).inc()
            _log.exception("care of a table failed", stream=table.name, work=kind)
            return False
        self._troubles.well(key)
        return busy

    def compact(
        self,
        table: LakeTable,
        policy: CompactionPolicy,
        *,
        at_most: int | None = None,
        troubles: Troubles | None = None,
    ) -> int:
        """Returns how many days were rewritten. With `troubles` days that cannot be are put off, not raised."""
        scratch = None if self._scratch is None else str(self._scratch)
        compactor = Compactor(table, self._runner, memory=self._memory, scratch=scratch, troubles=troubles)
        return compactor.run(policy, at_most=at_most)

    def expire(self, table: LakeTable) -> int:
        """Remove the days that are older than the stream's retention; returns how many rows.

        None before all rollups made of them are current: days from the first that is not stay.
        """
        limit = self._kept_from(table.stream)
        for _ in range(_TRIES):
            table_version = table.newest()
            gone = [] if table_version is None or limit is None else _before(table_version, limit)
            if limit is None or not gone or not self._settled(table.stream, limit):
                return 0
            table_version = table.newest()
            before = None if table_version is None else self._derived.finish(table, table_version, limit)
            gone = [] if table_version is None or before is None else _before(table_version, before)
            if table_version is None or before is None or not gone:
                return 0
            try:
                _remove(table, table_version, gone, before)
            except CommitConflict:
                continue
            rows = sum(file.data.rows for file in gone)
            metrics.ROWS_EXPIRED.labels(table.name).inc(rows)
            _log.info("expired", stream=table.name, files=len(gone), rows=rows)
            return rows
        return 0

    def _expire_when_due(self, table: LakeTable) -> bool:
        due, now = self.upkeep.due(table), self._lake.clock.now_us()
        if "expire" not in due.at or due("expire", now, HOUR_US):
            due.at["expire"] = now
            self.expire(table)
        return False

    def _keep_short(self, table: LakeTable) -> bool:
        self._derived.read_log(table)
        self.upkeep.care_for(table)
        return False

    def _compact_some(self, table: LakeTable) -> bool:
        """True where there is more to compact."""
        return self.compact(table, self._policy, at_most=_DAYS_A_STEP, troubles=self._troubles) == _DAYS_A_STEP

    def _kept_from(self, stream: Stream) -> date | None:
        """The first day whose rows stay."""
        days = self._retention[stream.name]
        if days is None or stream.partition is Partition.NONE:
            return None
        first = utc_day(self._lake.clock.now_us()) - timedelta(days=days)
        return first - _GRACE if stream.rollups else first


def _before(table_version: TableVersion, day: date) -> list[LiveFile]:
    first = day.isoformat()
    return [file for file in table_version.files if file.data.day is not None and file.data.day < first]


def _remove(table: LakeTable, table_version: TableVersion, files: list[LiveFile], before: date) -> None:
    now_ms = table.clock.now_us() // 1000
    actions = [removed(file, now_ms, data_change=True) for file in files]
    expired = max(before.toordinal(), table_version.committed(EXPIRED))
    table.replace(table.open_version(table_version.version), table_version, actions, **{EXPIRED: expired})
