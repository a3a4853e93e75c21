"""Announces records that are erased to those who have published files of them: as versions that delete them.

A published file is never changed (docs/vendors/slate.md#5). So the record gets one more version, with its key and
`is_deleted` alone, which the next publication brings; a client that follows the changelog then drops the record.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from airtally.storage.lake.removal_search import FIRST_CREATED, IS_LIVE, LAST_VERSION, FoundRows
from airtally.storage.store import EventStore
from airtally.streams.declaration import Stream

_ROWS_AT_ONCE = 100_000


class AnnouncedDeletions:
    """Appends the versions that delete an erasure's records, each once: a record that has one is not found again."""

    def __init__(self, event_store: EventStore, stream: Stream, account: str, app_id: str) -> None:
        self._event_store = event_store
        self._stream = stream
        self._account = account
        self._app_id = app_id

    def announce(self, found: FoundRows, records: Path) -> None:
        """`storage.lake.removal.Announce`. Raises Overtaken where another process announces the same."""
        if not found.records:
            return
        for live in _live_records(records):
            done = self._event_store.committed(self._stream, self._app_id)
            rows, after = self._deletions(live), -1 if done is None else done
            version = max(after, 0) + rows.num_rows
            self._event_store.append_file_rows(self._stream, self._account, rows, self._app_id, version, after)

    def _deletions(self, live: pa.Table) -> pa.Table:
        """A millisecond after the last version, as any deletion would be that has no time of its own."""
        count = live.num_rows
        values: dict[str, Any] = {name: live.column(name) for name in self._stream.key}
        values[self._stream.time] = pc.add(live.column(LAST_VERSION), pa.scalar(timedelta(milliseconds=1)))
        values["create_time_utc"] = live.column(FIRST_CREATED)
        values["is_deleted"] = pa.repeat(pa.scalar(1, pa.int64()), count)
        for column in self._stream.columns:
            if column.name not in values:
                values[column.name] = pa.repeat(pa.scalar(column.default, column.type.arrow), count)
        fields = self._stream.row_schema
        return pa.table([values[field.name].cast(field.type) for field in fields], schema=fields)


def _live_records(records: Path) -> Iterator[pa.Table]:
    with pq.ParquetFile(records) as file:
        for batch in file.iter_batches(_ROWS_AT_ONCE):
            live = pa.table(batch).filter(pc.field(IS_LIVE))
            if live.num_rows:
                yield live
