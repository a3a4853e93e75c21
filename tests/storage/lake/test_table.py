"""A stream's table: plain Delta, appended to once."""

from __future__ import annotations

import pytest
from deltalake import DeltaTable

from airtally.storage.lake.delta import CommitConflict
from airtally.streams.playlogs import PLAYLOGS
from fixtures.storage import NOON_US, Storage, add_flushed


def test_the_table_is_plain_delta_with_statistics(storage: Storage) -> None:
    add_flushed(storage, (1, "a", 0), (2, None, 3))
    table = DeltaTable(storage.table.url)
    assert table.protocol()[:2] == (1, 2)
    assert table.metadata().partition_columns == ["day"]
    snapshot = storage.event_store.snapshot(PLAYLOGS, "acme", start_us=NOON_US - 1, end_us=NOON_US + 1)
    assert [file.day for file in snapshot.uncompacted] == ["2026-11-02"]
    assert storage.event_store.snapshot(PLAYLOGS, "other").uncompacted == ()
    everything = storage.snapshot().uncompacted
    assert {file.day: file.ids_all_null for file in everything} == {"2026-11-02": False, "2026-10-30": True}


def test_two_flushers_of_one_buffer_append_once(storage: Storage) -> None:
    storage.add((1, None, 0))
    part = storage.buffer.tail(PLAYLOGS)[0]
    rows = part.chunks[0].rows
    handles = [storage.table.open(), storage.table.open()]
    storage.table.append(handles[0], rows, part.app_id, part.chunks[0].last)
    with pytest.raises(CommitConflict):
        storage.table.append(handles[1], rows, part.app_id, part.chunks[0].last)
    assert storage.medias() == [1], "what is in the lake is not taken from the buffer"
    assert storage.event_store.flush() == 0
    assert storage.medias() == [1]
