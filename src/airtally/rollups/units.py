"""One unit of a rebuild: days of an account's month, as a task for the child process and as actions of a commit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import msgspec
from deltalake.transaction import AddAction, RemoveAction

from airtally.kit.time import SECOND_US, day_start_us
from airtally.rollups.build import BuildTask, BuiltFile
from airtally.rollups.plan import month_end
from airtally.rollups.table import (
    NO_SEGMENTS,
    ZONES,
    MonthSegments,
    RollupTable,
    RollupTableVersion,
    SegmentFile,
    zones_text,
)
from airtally.storage.lake import LakeTable, TableVersion
from airtally.storage.lake.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class RebuildUnit:
    """Days of an account's month to be built; with `merge` into one month file."""

    account: str
    month: str
    days: tuple[str, ...]
    merge: bool


def snapshot_of(table: LakeTable, view: TableVersion, unit: RebuildUnit) -> Snapshot:
    """The unit's rows in the lake, without buffered ones: a segment is of one lake version."""
    first = day_start_us(date.fromisoformat(f"{unit.month}-01"))
    files = view.prune(unit.account, first, first + 32 * 86_400 * SECOND_US) if unit.days else []
    files = [file for file in files if file.data.day in unit.days]
    compacted = tuple(file.data for file in files if file.compacted)
    uncompacted = tuple(file.data for file in files if not file.compacted)
    return Snapshot(table.stream, unit.account, table.url, view.version, compacted, uncompacted)


def month_of(segments: RollupTableVersion | None, account: str, month: str) -> MonthSegments:
    return NO_SEGMENTS if segments is None else segments.months(account).get(month, NO_SEGMENTS)


def build_task(table: RollupTable, rows: Snapshot, unit: RebuildUnit, month: MonthSegments, zone: str) -> BuildTask:
    """`month` is what there is before the rebuild; `zone` the account's time zone."""
    day_files = [file for day, file in month.day_files.items() if day not in unit.days] if unit.merge else []
    whole = month.month_file if unit.merge else None
    return BuildTask(
        rollup=table.rollup,
        zone=zone,
        table_url=table.url,
        storage_options=table.storage.options,
        rows=rows,
        month=unit.month,
        days=unit.days,
        merge=unit.merge,
        month_files=() if whole is None or not whole.data.rows else (whole.data,),
        day_files=tuple(file.data for file in day_files),
    )


def add_action(built: BuiltFile, task: BuildTask, month: MonthSegments, now_ms: int) -> AddAction:
    """`month` is what there was before the rebuild."""
    values: dict[str, str | None] = {
        "account": task.rows.account,
        "month": task.month,
        "day": built.day,
        "source": str(task.rows.version),
    }
    if task.rollup.local:
        values[ZONES] = task.zone if built.day is not None else _zones_of_month_file(task, month)
    stats = msgspec.json.encode({"numRecords": built.rows}).decode()
    return AddAction(built.name, built.size, values, now_ms, data_change=True, stats=stats)


def remove_action(file: SegmentFile, now_ms: int) -> RemoveAction:
    return RemoveAction(
        file.name, data_change=True, deletion_timestamp=now_ms, size=file.data.size, partition_values=file.partition
    )


def _zones_of_month_file(task: BuildTask, month: MonthSegments) -> str:
    """Days built before the account's zone changed, and not built anew, keep the zone of their cells."""
    kept = month.month_file is not None or month.day_files
    return zones_text(
        {day: month.zone(day) if kept and day not in task.days else task.zone for day in days_of(task.month)}
    )


def days_of(month: str) -> list[str]:
    """The days (ISO) of a month."""
    first, last = date.fromisoformat(f"{month}-01"), date.fromisoformat(month_end(month))
    return [(first + timedelta(days=number)).isoformat() for number in range((last - first).days + 1)]
