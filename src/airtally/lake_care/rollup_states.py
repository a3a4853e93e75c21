"""How far the rollups are built: their segments, and which months are stale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from airtally.kit.time import SECOND_US
from airtally.lake_care.tables import check_stream
from airtally.rollups.due import EAGER, RebuildPlanner
from airtally.rollups.rollups import Rollups
from airtally.storage.lake import Lake, LakeTable
from airtally.streams import STREAMS
from airtally.streams.rollup import Rollup


@dataclass(frozen=True, slots=True)
class RollupState:
    """`months`: with segments, counted by account. `stale_months`: those with a day whose rows changed since.

    `size` in bytes. `kept_days`: how long segments are kept; None for ever.
    """

    rollup: str
    stream: str
    grain_seconds: int
    kept_days: int | None
    months: int
    files: int
    rows: int
    size: int
    stale_months: int


def rollup_states(
    lake: Lake, rollups: Rollups, retention: Mapping[str, int | None], stream: str | None
) -> list[RollupState]:
    """Of all streams or one. Read from the tables' logs. Raises NotFound and TableDamaged."""
    check_stream(stream)
    declared = STREAMS.values() if stream is None else [STREAMS[stream]]
    return [
        _state_of(lake.table(each), rollups, rollup, retention[rollup.name])
        for each in declared
        for rollup in each.rollups
    ]


def _state_of(table: LakeTable, rollups: Rollups, rollup: Rollup, kept_days: int | None) -> RollupState:
    segments = rollups.table(rollup).newest()
    months = [] if segments is None else [month for slug in segments.slugs for month in segments.months(slug).values()]
    files = () if segments is None else segments.files
    stale = [unit for unit in RebuildPlanner(rollups).units(table, rollup, EAGER) if unit.days]
    return RollupState(
        rollup=rollup.name,
        stream=table.stream.name,
        grain_seconds=rollup.grain_us // SECOND_US,
        kept_days=kept_days,
        months=len(months),
        files=len(files),
        rows=sum(file.data.rows for month in months for file in month.files),
        size=sum(file.data.size for file in files),
        stale_months=len(stale),
    )
