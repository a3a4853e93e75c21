"""One stream's Delta table."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pyarrow as pa
from deltalake import DeltaTable

from airtally.kit.clock import Clock
from airtally.kit.faults import NO_FAULTS, Faults
from airtally.storage.lake.data_files import added, write_parts
from airtally.storage.lake.delta import CommitConflict, DeltaFiles, TableLayout
from airtally.storage.lake.schema import SchemaHistory, follow, statistics_columns
from airtally.storage.lake.table_storage import TableStorage
from airtally.storage.lake.table_version import TableVersion
from airtally.storage.marks import NO_MARKS, Marks
from airtally.streams.declaration import DAY, Partition, Stream

_TRIES = 20
#: Under this name a commit notes the accounts that it brought rows of, by day (JSON).
CHANGED = "airtally.changed"
#: Application whose version is the first day, as an ordinal, that no row has left of by retention.
EXPIRED = "expired"


class LakeTable(DeltaFiles[TableVersion]):
    """The table of a stream: appends rows to it and follows its declaration. Thread-safe as `DeltaFiles` is."""

    def __init__(
        self,
        stream: Stream,
        storage: TableStorage,
        *,
        clock: Clock,
        faults: Faults = NO_FAULTS,
        marks: Marks = NO_MARKS,
    ) -> None:
        self.stream = stream
        layout = TableLayout(
            stream.name,
            stream.stored_schema,
            () if stream.partition is Partition.NONE else (DAY.name,),
            statistics_columns(stream),
        )
        super().__init__(
            layout,
            storage,
            lambda handle, log_state: TableVersion(stream, storage, handle, log_state),
            clock=clock,
            faults=faults,
            marks=marks,
        )

    def open(self) -> DeltaTable:
        """A fresh handle for one append or rewrite, of a table that follows the declaration.

        Raises NewerHome for a table that a newer program changed.
        """
        for _ in range(_TRIES):
            handle = super().open()
            if not follow(self.stream, handle):
                return handle
            with self.marks.committing():  # it has committed
                pass
        raise CommitConflict(f"{self.url}: other processes keep changing the columns")

    def append(self, handle: DeltaTable, rows: pa.Table, app_id: str, version: int) -> None:
        """Add `rows` (`stream.stored_schema`) on the handle whose transaction version was looked at.

        Durable when it returns. Raises CommitConflict where the application committed since. After any other
        error nobody knows whether it was done: open a new handle and look.
        """
        self.faults.reach("lake.flush")
        schema = SchemaHistory.of(self.stream, handle).newest
        written = write_parts(self.storage, self.stream, rows, schema)
        now_ms = self.clock.now_us() // 1000
        actions = [added(each, now_ms, data_change=True) for each in written]
        try:
            self.commit(handle, actions, {app_id: version}, self._changed(rows))
        except CommitConflict:
            for each in written:
                self.storage.delete(each.name)
            raise

    def _changed(self, rows: pa.Table) -> dict[str, str]:
        if not self.stream.rollups:
            return {}
        days: dict[str, list[str]] = {}
        for row in rows.select(["account", DAY.name]).group_by(["account", DAY.name]).aggregate([]).to_pylist():
            days.setdefault(row[DAY.name].isoformat(), []).append(row["account"])
        return changed_note(days)


def changed_note(days: Mapping[str, list[str]]) -> dict[str, str]:
    """What a commit notes of the accounts whose rows it changed, by day (ISO): their segments are built anew."""
    return {CHANGED: msgspec.json.encode(days).decode()}
