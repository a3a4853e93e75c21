"""Batches before they are written: cut by lane, packed, and stamped with the server's columns."""

from __future__ import annotations

import pyarrow as pa
import pytest

from airtally.kit.errors import NewerHome
from airtally.storage.buffer.batches import Lane, Stamp, pack, parts_of, unpack, with_account
from airtally.streams.declaration import SEQUENCE_SHIFT
from airtally.streams.playlogs import PLAYLOGS
from fixtures.storage import NOON_US, playlogs

ACME = frozenset({"acme"})


def batches(*days: int) -> list[tuple[Lane, list[int]]]:
    rows = with_account(playlogs(*((n, None, day) for n, day in enumerate(days))), "acme")
    return [(each.lane, each.rows["media_id"].to_pylist()) for each in parts_of(PLAYLOGS, rows, ACME, NOON_US)]


def test_rows_of_days_that_are_over_are_a_batch_of_their_own():
    """Yesterday is still open."""
    assert batches(0, 2, 1, 3) == [(Lane.OPEN, [0, 2]), (Lane.LATE, [1, 3])]
    assert batches(0, 1) == [(Lane.OPEN, [0, 1])]
    assert batches(2) == [(Lane.LATE, [0])]
    assert batches() == []


def test_a_batch_has_no_more_rows_than_its_sequence_can_number(monkeypatch):
    monkeypatch.setattr("airtally.storage.buffer.batches.MAX_BATCH_ROWS", 2)
    assert batches(0, 0, 0) == [(Lane.OPEN, [0, 1]), (Lane.OPEN, [2])]


def test_what_is_packed_is_unpacked_with_its_day():
    (batch,) = parts_of(PLAYLOGS, with_account(playlogs((1, "a", 0), (2, None, 1)), "acme"), ACME, NOON_US)
    assert unpack(PLAYLOGS, batch.content.to_pybytes()) == batch.rows


def test_a_batch_of_a_newer_program_is_refused():
    rows = with_account(playlogs((1, "a", 0)), "acme").append_column("campaign", pa.array(["x"]))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows)
    with pytest.raises(NewerHome, match="campaign"):
        unpack(PLAYLOGS, sink.getvalue().to_pybytes())


def test_the_server_neither_packs_its_columns_nor_the_day():
    rows = with_account(playlogs((1, "a", 0)), "acme")
    with pa.ipc.open_stream(pack(PLAYLOGS, rows)) as reader:
        assert reader.schema.names == ["account", *PLAYLOGS.row_schema.names]


@pytest.mark.parametrize("count", [1, 64, (1 << 15) + 3])
def test_stored_rows_have_their_writer_and_a_sequence_of_their_own(count):
    (batch,) = parts_of(PLAYLOGS, with_account(playlogs(*[(1, None, 0)] * count), "acme"), ACME, NOON_US)
    stored = Stamp("w1").stored(PLAYLOGS, batch.rows, NOON_US, 7)
    assert stored.schema == PLAYLOGS.stored_schema
    assert stored["writer_id"].to_pylist() == ["w1"] * count
    assert stored["sequence"].to_pylist() == [(7 << SEQUENCE_SHIFT) + n for n in range(count)]
