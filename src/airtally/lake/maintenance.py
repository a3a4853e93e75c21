"""What keeps the tables small and quick: compaction, expiry, vacuum, short logs. Never in the way of reads or writes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import structlog
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from airtally.kit import metrics
from airtally.kit.time import DAY_US, SECOND_US, utc_day
from airtally.lake.compaction import CompactionPolicy, Compactor, Runner
from airtally.lake.lake import Lake
from airtally.lake.parts import removed
from airtally.lake.table import REWRITE, Conflicted, LakeTable
from airtally.lake.view import LakeView, LiveFile
from airtally.streams.declaration import Partition, Stream

VACUUM_HOURS = 24
_HOUR_US = 3600 * SECOND_US
_STEP_SECONDS = 10.0
_DAYS_A_STEP = 4
_TRIES = 5

_log = structlog.get_logger()


#: Rare work is first done so long after a start, that a server restarted every day does it too.
_FIRST_US = 600 * SECOND_US


@dataclass(slots=True)
class _Due:
    """When each kind of work was last done to a table."""

    cleaned_version: int = 0
    at: dict[str, int] = field(default_factory=dict)

    def __call__(self, work: str, now_us: int, every_us: int) -> bool:
        if now_us - self.at.setdefault(work, now_us - max(0, every_us - _FIRST_US)) < every_us:
            return False
        self.at[work] = now_us
        return True


class Maintenance:
    """The step of a background loop; any number of processes may run it at once.

    `retention` gives the days a stream's rows are kept, None for ever. `oldest_job_us` tells when the
    longest-running job began, so that vacuum leaves it its files.
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
    ) -> None:
        self._lake = lake
        self._runner = runner
        self._retention = retention
        self._oldest_job_us = oldest_job_us
        self._policy = policy or CompactionPolicy()
        self._scratch = scratch
        self._memory = memory
        self._due: dict[str, _Due] = {}

    def step(self) -> float:
        """A bounded amount of each table's due work; returns the seconds to wait."""
        busy, failed = False, None
        for table in self._lake.existing():
            try:
                busy |= self._care_for(table)
            except Exception as error:  # noqa: BLE001 (one table's trouble is not another's)
                _log.exception("care of a table failed", stream=table.stream.name)
                failed = failed or error
        if failed is not None:
            raise failed
        return 0.0 if busy else _STEP_SECONDS

    def compact(self, table: LakeTable, policy: CompactionPolicy, *, at_most: int | None = None) -> int:
        """Returns how many days were rewritten."""
        scratch = None if self._scratch is None else str(self._scratch)
        return Compactor(table, self._runner, memory=self._memory, scratch=scratch).run(policy, at_most=at_most)

    def expire(self, table: LakeTable) -> int:
        """Remove the days that are older than the stream's retention; returns how many rows."""
        for _ in range(_TRIES):
            view = table.view()
            gone = [] if view is None else self._expired(view)
            if view is None or not gone:
                return 0
            try:
                _remove(table, view, gone)
            except Conflicted:
                continue
            rows = sum(file.data.rows for file in gone)
            metrics.ROWS_EXPIRED.labels(table.stream.name).inc(rows)
            _log.info("expired", stream=table.stream.name, files=len(gone), rows=rows)
            return rows
        return 0

    def vacuum(self, table: LakeTable, *, full: bool = False) -> int:
        """Delete files that no version of the last 24 hours, nor any running job, needs; returns how many."""
        hours = VACUUM_HOURS
        began = self._oldest_job_us()
        if began is not None:
            hours = max(hours, math.ceil((self._lake.clock.now_us() - began) / _HOUR_US) + 1)
        deleted = table.open().vacuum(retention_hours=hours, dry_run=False, full=full)
        return len(deleted)

    def clean_log(self, table: LakeTable) -> None:
        """A checkpoint of the newest version, durable before older commits (of an hour ago) are deleted."""
        due = self._due.setdefault(table.stream.name, _Due())
        handle = table.open()
        if handle.version() == due.cleaned_version:
            return
        try:
            handle.create_checkpoint()
            table.place.sync_log(handle.version())
            handle.cleanup_metadata()
        except DeltaError as error:
            if "Invalid table version" not in str(error):
                raise
            return  # another process has cleaned further than this handle's version
        due.cleaned_version = handle.version()

    def _care_for(self, table: LakeTable) -> bool:
        """True where there is more to compact."""
        due = self._due.setdefault(table.stream.name, _Due())
        now = self._lake.clock.now_us()
        if "expire" not in due.at or due("expire", now, _HOUR_US):
            due.at["expire"] = now
            self.expire(table)
        if due("log", now, _HOUR_US // 6):
            self.clean_log(table)
        full = due("full vacuum", now, 7 * DAY_US)
        if full or due("vacuum", now, DAY_US // 4):
            self.vacuum(table, full=full)
        # last: a day that cannot be compacted must not keep the log from being cleaned
        return self.compact(table, self._policy, at_most=_DAYS_A_STEP) == _DAYS_A_STEP

    def _expired(self, view: LakeView) -> list[LiveFile]:
        days = self._retention(view.stream)
        if days is None or view.stream.partition is Partition.NONE:
            return []
        first = (utc_day(self._lake.clock.now_us()) - timedelta(days=days)).isoformat()
        return [file for file in view.files if file.data.day is not None and file.data.day < first]


def _remove(table: LakeTable, view: LakeView, files: list[LiveFile]) -> None:
    handle: DeltaTable = table.open_version(view.version)
    now_ms = table.clock.now_us() // 1000
    actions = [removed(file, now_ms, data_change=True) for file in files]
    table.commit(handle, actions, REWRITE, max(view.committed(REWRITE), 0) + 1)
