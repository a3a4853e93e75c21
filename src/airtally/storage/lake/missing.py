"""Data files that a table's newest version names and that are gone: found, and given up where no backup has them."""

from __future__ import annotations

import structlog

from airtally.storage.lake.data_files import removed
from airtally.storage.lake.delta import CommitConflict
from airtally.storage.lake.table import LakeTable
from airtally.storage.lake.table_version import LiveFile, TableVersion

_TRIES = 8

_log = structlog.get_logger()


def missing(table: LakeTable) -> list[LiveFile]:
    table_version = table.newest()
    return [] if table_version is None else _missing(table, table_version)


def give_up(table: LakeTable) -> list[LiveFile]:
    """Take the missing files out of the table, so that the rest of it can be read; returns them. Their rows are lost.

    Raises CommitConflict where other processes keep rewriting the table.
    """
    for attempt in range(_TRIES):
        table_version = table.newest()
        gone = [] if table_version is None else _missing(table, table_version)
        if table_version is None or not gone:
            return []
        now_ms = table.clock.now_us() // 1000
        actions = [removed(file, now_ms, data_change=True) for file in gone]
        try:
            table.replace(table.open_version(table_version.version), table_version, actions)
        except CommitConflict:
            if attempt == _TRIES - 1:
                raise
            continue
        rows = sum(file.data.rows for file in gone)
        _log.warning("missing data files given up", stream=table.name, files=len(gone), rows=rows)
        return gone
    return []


def _missing(table: LakeTable, table_version: TableVersion) -> list[LiveFile]:
    absent = set(table.storage.absent(table_version.names))
    return [file for file in table_version.files if file.name in absent]
