"""The files of the lake that held erased rows: deleted once no reader can need them, and looked for."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from airtally.erasure.journal import LAKE, StepJournal
from airtally.kit.clock import Clock
from airtally.kit.time import HOUR_US
from airtally.rollups.rollups import Rollups
from airtally.storage.lake import Lake
from airtally.storage.lake.delta import DeltaFiles
from airtally.storage.lake.upkeep import VACUUM_HOURS, Upkeep
from airtally.streams import STREAMS


class Leftovers:
    """`oldest_job_us` tells when the longest-running job of another kind began: its files stay."""

    def __init__(self, lake: Lake, rollups: Rollups, clock: Clock, oldest_job_us: Callable[[], int | None]) -> None:
        self._lake = lake
        self._rollups = {table.name: table for table in rollups.tables()}
        self._clock = clock
        self._oldest_job_us = oldest_job_us

    def removed(self, journal: StepJournal) -> list[str]:
        """Delete replaced files and shorten the logs that name them; returns the files that are still there."""
        left: list[str] = []
        for (store, name), files in journal.replaced_files().items():
            table: DeltaFiles[Any] = self._lake.table(STREAMS[name]) if store == LAKE else self._rollups[name]
            self._vacuum(table)
            absent = set(table.storage.absent(files))
            left += [f"{name}/{each}" for each in files if each not in absent]
        return left

    def _vacuum(self, table: DeltaFiles[Any]) -> None:
        hours = VACUUM_HOURS
        began = self._oldest_job_us()
        if began is not None:
            hours = max(hours, math.ceil((self._clock.now_us() - began) / HOUR_US) + 1)
        for full in (False, True):  # what the log still knows as removed, then what it has forgotten
            table.open().vacuum(retention_hours=hours, dry_run=False, full=full)
        Upkeep(self._clock).clean_log(table)
