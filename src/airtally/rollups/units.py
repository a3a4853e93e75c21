"""What is made at once: an account's days of a month, as a job for the child process and as a commit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import msgspec
from deltalake.transaction import AddAction, RemoveAction

from airtally.kit.time import SECOND_US, day_start_us
from airtally.rollups.build import Built, PartsJob
from airtally.rollups.plan import month_end
from airtally.rollups.table import NO_PARTS, ZONES, MonthParts, RollupTable, RollupView, SegmentFile, zones_text
from airtally.storage.lake import LakeTable, TableVersion
from airtally.storage.lake.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Unit:
    """An account's days of a month to be made; with `merge` into one base."""

    account: str
    month: str
    days: tuple[str, ...]
    merge: bool


def rows_of(table: LakeTable, view: TableVersion, unit: Unit) -> Snapshot:
    """What lies in the lake, without what is buffered: a part is of a version."""
    first = day_start_us(date.fromisoformat(f"{unit.month}-01"))
    files = view.prune(unit.account, first, first + 32 * 86_400 * SECOND_US) if unit.days else []
    files = [file for file in files if file.data.day in unit.days]
    compacted = tuple(file.data for file in files if file.compacted)
    uncompacted = tuple(file.data for file in files if not file.compacted)
    return Snapshot(table.stream, unit.account, table.url, view.version, compacted, uncompacted)


def parts_of(parts: RollupView | None, account: str, month: str) -> MonthParts:
    return NO_PARTS if parts is None else parts.months(account).get(month, NO_PARTS)


def job_of(table: RollupTable, rows: Snapshot, unit: Unit, month: MonthParts, zone: str) -> PartsJob:
    kept = [file for day, file in month.days.items() if day not in unit.days] if unit.merge else []
    base = [month.base.data] if unit.merge and month.base is not None and month.base.data.rows else []
    return PartsJob(
        rollup=table.rollup,
        zone=zone,
        table_url=table.url,
        storage_options=table.storage.options,
        rows=rows,
        month=unit.month,
        days=unit.days,
        merge=unit.merge,
        kept=tuple(base),
        kept_days=tuple(file.data for file in kept),
    )


def added(built: Built, job: PartsJob, month: MonthParts, now_ms: int) -> AddAction:
    """`month` is what there was before."""
    values: dict[str, str | None] = {
        "account": job.rows.account,
        "month": job.month,
        "day": built.day,
        "source": str(job.rows.version),
    }
    if job.rollup.local:
        values[ZONES] = job.zone if built.day is not None else _zones_of_base(job, month)
    stats = msgspec.json.encode({"numRecords": built.rows}).decode()
    return AddAction(built.name, built.size, values, now_ms, data_change=True, stats=stats)


def removed(file: SegmentFile, now_ms: int) -> RemoveAction:
    return RemoveAction(
        file.name, data_change=True, deletion_timestamp=now_ms, size=file.data.size, partition_values=file.partition
    )


def _zones_of_base(job: PartsJob, month: MonthParts) -> str:
    """Days that were made before the account's zone changed keep their cells."""
    kept = month.base is not None or month.days
    return zones_text(
        {day: month.zone(day) if kept and day not in job.days else job.zone for day in days_of(job.month)}
    )


def days_of(month: str) -> list[str]:
    """The days (ISO) of a month."""
    first, last = date.fromisoformat(f"{month}-01"), date.fromisoformat(month_end(month))
    return [(first + timedelta(days=number)).isoformat() for number in range((last - first).days + 1)]
