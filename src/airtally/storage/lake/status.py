"""What `airtally lake status` shows of a table."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from airtally.storage.lake.table import LakeTable

MANY_LOG_FILES = 2_000
MANY_DAY_FILES = 100


@dataclass(frozen=True, slots=True)
class TableStatus:
    """`day_files` is the number of files of the day that has most; `warnings` say what is out of order."""

    stream: str
    version: int
    rows: int
    size: int
    files: int
    uncompacted_files: int
    days: int
    day_files: int
    log_files: int
    warnings: tuple[str, ...]


def status_of(table: LakeTable) -> TableStatus | None:
    """None where the stream has no table yet."""
    table_version = table.newest()
    if table_version is None:
        return None
    days = Counter(file.data.day for file in table_version.files)
    most, logs = max(days.values(), default=0), len(table.storage.log_listing())
    warnings = []
    if logs > MANY_LOG_FILES:
        warnings.append(f"{logs} log files: is a serve or worker running?")
    if most > MANY_DAY_FILES:
        warnings.append(f"{most} files in one day: compaction does not keep up")
    return TableStatus(
        stream=table.stream.name,
        version=table_version.version,
        rows=sum(file.data.rows for file in table_version.files),
        size=sum(file.data.size for file in table_version.files),
        files=len(table_version.files),
        uncompacted_files=sum(1 for file in table_version.files if not file.compacted),
        days=len(days),
        day_files=most,
        log_files=logs,
        warnings=tuple(warnings),
    )
