"""Upkeep of a Delta table: its log is kept short, files that no version needs are deleted (vacuum)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from deltalake.exceptions import DeltaError

from airtally.kit.clock import Clock
from airtally.kit.time import DAY_US, HOUR_US, SECOND_US
from airtally.storage.lake.delta import DeltaFiles

VACUUM_HOURS = 24

#: Rare work is first done this long after a start, so that a server that is restarted every day does it too.
_FIRST_US = 600 * SECOND_US


@dataclass(slots=True)
class Due:
    """When each kind of work was last done to a table."""

    cleaned_version: int = 0
    at: dict[str, int] = field(default_factory=dict)

    def __call__(self, work: str, now_us: int, every_us: int) -> bool:
        since = now_us - self.at.setdefault(work, now_us - max(0, every_us - _FIRST_US))
        if 0 <= since < every_us:  # less where the clock was set back
            return False
        self.at[work] = now_us
        return True


class Upkeep:
    """`oldest_job_us` tells when the longest-running job began, so that vacuum leaves it its files."""

    def __init__(self, clock: Clock, oldest_job_us: Callable[[], int | None] = lambda: None) -> None:
        self._clock = clock
        self._oldest_job_us = oldest_job_us
        self._due: dict[str, Due] = {}

    def due(self, table: DeltaFiles[Any]) -> Due:
        return self._due.setdefault(table.name, Due())

    def care_for(self, table: DeltaFiles[Any]) -> None:
        """Shorten the log and vacuum, each if it is due."""
        due, now = self.due(table), self._clock.now_us()
        if due("log", now, HOUR_US // 6):
            self.clean_log(table)
        full = due("full vacuum", now, 7 * DAY_US)
        if full or due("vacuum", now, DAY_US // 4):
            self.vacuum(table, full=full)

    def vacuum(self, table: DeltaFiles[Any], *, full: bool = False) -> int:
        """Delete files that no version of the last 24 hours, nor any running job, needs; returns how many."""
        hours = VACUUM_HOURS
        began = self._oldest_job_us()
        if began is not None:
            hours = max(hours, math.ceil((self._clock.now_us() - began) / HOUR_US) + 1)
        return len(table.open().vacuum(retention_hours=hours, dry_run=False, full=full))

    def clean_log(self, table: DeltaFiles[Any]) -> None:
        """A checkpoint of the newest version, durable before older commits (of an hour ago) are deleted."""
        due = self.due(table)
        handle = table.open()
        if handle.version() == due.cleaned_version:
            return
        try:
            handle.create_checkpoint()
            table.storage.sync_log(handle.version())
            handle.cleanup_metadata()
        except DeltaError as error:
            if "Invalid table version" not in str(error):
                raise
            return  # another process has cleaned further than this handle's version
        due.cleaned_version = handle.version()
