"""Snapshots cut to some of their days."""

from __future__ import annotations

import pyarrow as pa

from airtally.streams import PLAYERS
from airtally.streams.playlogs import PLAYLOGS
from fixtures.storage import Storage, add_flushed, compact, stored_rows


def test_some_days_of_a_snapshot_keep_what_is_buffered(storage: Storage) -> None:
    add_flushed(storage, (1, "a", 0), (2, None, 1))
    compact(storage)
    add_flushed(storage, (3, None, 0), (4, None, 1))
    storage.add((5, None, 1))
    snapshot = storage.snapshot()
    cut = snapshot.of_days({"2026-11-02"})
    assert [file.day for file in (*cut.compacted, *cut.uncompacted)] == ["2026-11-02"] * 2
    assert sorted(stored_rows(cut)["media_id"].to_pylist()) == [1, 3, 5]
    assert (cut.version, cut.state, cut.buffered) == (snapshot.version, snapshot.state, snapshot.buffered)
    assert len(snapshot.compacted) == len(snapshot.uncompacted) == 2, "the snapshot itself stays as it was"


def test_equal_states_hold_the_same_rows(storage: Storage) -> None:
    states = [storage.snapshot().state]
    storage.add((1, None, 0))
    states.append(storage.snapshot().state)
    storage.add((2, None, 0))
    states.append(storage.snapshot().state)
    assert storage.snapshot().state == states[-1]
    storage.event_store.flush()
    states.append(storage.snapshot().state)
    compact(storage)
    states.append(storage.snapshot().state)
    assert len(set(states)) == len(states)
    assert storage.snapshot().state == storage.again().snapshot().state


def test_files_of_a_stream_without_days_are_of_the_day_none(storage: Storage) -> None:
    player = pa.Table.from_pylist([{"player_id": 1}], schema=PLAYERS.row_schema)
    storage.buffer.append(PLAYERS, "acme", player).result(10)
    storage.event_store.flush()
    snapshot = storage.event_store.snapshot(PLAYERS, "acme")
    assert len(snapshot.of_days({None}).uncompacted) == 1
    assert snapshot.of_days({"2026-11-02"}).uncompacted == ()
    assert storage.event_store.snapshot(PLAYLOGS, "acme").uncompacted == ()
