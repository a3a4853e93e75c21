"""All streams' tables under one folder or bucket prefix."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Mapping
from pathlib import Path

from airtally.kit.clock import Clock
from airtally.kit.faults import NO_FAULTS, Faults
from airtally.storage.lake.damage import TableDamaged
from airtally.storage.lake.table import LakeTable
from airtally.storage.lake.table_storage import open_storage
from airtally.storage.marks import NO_MARKS, Marks
from airtally.streams import STREAMS
from airtally.streams.declaration import Stream


class Lake:
    """The tables, each made at its first use. Thread-safe: a lock guards the list of tables.

    `url` is a folder or `s3://bucket/prefix`; credentials come from the environment or `storage_options`. With `marks`
    every commit is marked in the home, and tables are looked at only after one; only for a lake of one home.
    """

    def __init__(
        self,
        url: str,
        *,
        clock: Clock,
        storage_options: Mapping[str, str] | None = None,
        faults: Faults = NO_FAULTS,
        marks: Marks = NO_MARKS,
    ) -> None:
        self.url = url.rstrip("/")
        self.clock = clock
        self.options = dict(storage_options or {})
        self.faults = faults
        self.marks = marks
        self._lock = threading.Lock()
        self._tables: dict[str, LakeTable] = {}

    def table(self, stream: Stream) -> LakeTable:
        with self._lock:
            if stream.name not in self._tables:
                storage = open_storage(f"{self.url}/{stream.name}", self.options)
                self._tables[stream.name] = LakeTable(
                    stream, storage, clock=self.clock, faults=self.faults, marks=self.marks
                )
            return self._tables[stream.name]

    def existing(self) -> list[LakeTable]:
        """The tables that have been made, by any process, but for those whose log is damaged (`check` tells)."""
        return [table for table in self.tables() if _is_readable(table)]

    def tables(self) -> list[LakeTable]:
        """Of all streams, made or not."""
        return [self.table(stream) for stream in STREAMS.values()]

    def follow_declarations(self) -> None:
        """Give the tables that exist the columns that are declared. Raises NewerHome.

        One with a damaged log stays as it is, and keeps no other from its columns.
        """
        for table in self.existing():
            table.open()

    def check(self) -> None:
        """Raises what stands in the way of reading and writing tables here."""
        self.check_folder()
        for table in self.tables():
            table.newest()

    def check_folder(self) -> None:
        """Raises OSError."""
        if "://" not in self.url:
            Path(self.url).mkdir(parents=True, exist_ok=True)
            if not os.access(self.url, os.R_OK | os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, "may not be written", self.url)


def _is_readable(table: LakeTable) -> bool:
    try:
        return table.exists()
    except TableDamaged:
        return False
