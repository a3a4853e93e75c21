"""What operators have done to the tables at once, whether or not it is due; the same work runs in the background."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterator, Mapping
from enum import StrEnum
from typing import Any

from airtally.lake_care.tables import give_up_files, tables_named
from airtally.rollups.rebuild import EAGER as STALE_NOW
from airtally.rollups.rebuild import Rebuilder
from airtally.storage.lake import Lake, LakeTable
from airtally.storage.lake.compaction import EAGER
from airtally.storage.lake.maintenance import Maintenance
from airtally.streams.rollup import Rollup

StepResult = Mapping[str, Any]


class LakeAction(StrEnum):
    """`REBUILD_ROLLUPS` drops segments first, where all their rows are there; `ROLLUPS` builds the stale ones."""

    COMPACT = "compact"
    EXPIRE = "expire"
    ROLLUPS = "rollups"
    REBUILD_ROLLUPS = "rebuild-rollups"
    GIVE_UP_MISSING = "give-up-missing"


class LakeCare:
    """For one thread at a time, as the rebuilder is. Any number of processes may run it at once."""

    def __init__(self, lake: Lake, maintenance: Maintenance, rebuilder: Rebuilder) -> None:
        self._lake = lake
        self._rebuilder = rebuilder
        self._steps: Mapping[LakeAction, Callable[[LakeTable], StepResult]] = {
            LakeAction.COMPACT: lambda table: {"days_rewritten": maintenance.compact(table, EAGER)},
            LakeAction.EXPIRE: lambda table: {"rows_removed": maintenance.expire(table)},
            LakeAction.GIVE_UP_MISSING: lambda table: {"files": _given_up(table)},
        }

    def run(self, action: LakeAction, stream: str | None, done: Collection[str] = ()) -> Iterator[StepResult]:
        """What was done, table by table or rollup by rollup, without those named in `done`.

        Each has `stream` or `rollup`. Raises NotFound, and what stands in the way of a step.
        """
        for table in tables_named(self._lake, stream):
            if action in self._steps:
                if table.name not in done:
                    yield {"stream": table.name, **self._steps[action](table)}
                continue
            for rollup in table.stream.rollups:
                if rollup.name not in done:
                    made = self._built(table, rollup, rebuild=action is LakeAction.REBUILD_ROLLUPS)
                    yield {"rollup": rollup.name, "months_made": made}

    def _built(self, table: LakeTable, rollup: Rollup, *, rebuild: bool) -> int:
        if rebuild:
            self._rebuilder.expiry.drop_all(rollup)
        return self._rebuilder.rebuild(table, rollup, STALE_NOW)


def _given_up(table: LakeTable) -> list[dict[str, Any]]:
    return [dataclasses.asdict(each) for each in give_up_files(table)]
