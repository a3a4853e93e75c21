"""The buffer of a process that died: readable at once, flushed under its own id, then removed."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from airtally.kit.clock import SystemClock
from airtally.kit.errors import NewerHome
from airtally.storage.buffer import Buffer, damage
from airtally.storage.buffer.adopted import decoded, take_over
from airtally.storage.buffer.batches import Stamp, pack, with_account
from airtally.storage.buffer.store import BufferStore, NewBatch, StoredBatch
from airtally.streams.declaration import SEQUENCE_SHIFT
from airtally.streams.playlogs import PLAYLOGS
from fixtures.storage import NOON_US, Storage, lanes, playlogs


def content(*rows: tuple[int, str | None, int], newer: bool = False) -> pa.Buffer:
    """A packed batch; `newer`: by a program that has a column more."""
    whole = with_account(playlogs(*rows), "acme")
    if not newer:
        return pack(PLAYLOGS, whole)
    whole = whole.append_column("campaign", pa.array(["x"] * whole.num_rows))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, whole.schema) as writer:
        writer.write_table(whole)
    return sink.getvalue()


def left_by_a_dead_process(folder: Path, *contents: pa.Buffer) -> Path:
    """A buffer file with a batch of one row for each of the contents."""
    folder.mkdir()
    store = BufferStore.create(folder, "d" * 32)
    store.insert([NewBatch("playlogs", 0, NOON_US, 1, each) for each in contents], [])
    store.close()
    return store.path


def test_a_dead_ones_rows_are_seen_before_and_after_adoption(storage: Storage) -> None:
    other = storage.again()
    storage.add((1, None, 0), (2, None, 9))
    storage.abandon()
    assert other.medias() == [1, 2]
    assert other.flusher().step() == 1.0
    assert other.medias() == [1, 2]
    assert lanes(other) == []
    assert other.buffer.adopted == ()
    assert [path.stem for path in (storage.home / "buffer").glob("*.sqlite")] == [other.buffer.id]


def test_a_clean_stop_leaves_no_file(storage: Storage) -> None:
    storage.add((1, None, 0))
    storage.flusher().flush_all()
    storage.buffer.close()
    assert list((storage.home / "buffer").iterdir()) == []


def test_a_file_without_anything_to_read_is_kept(tmp_path: Path) -> None:
    wrong = tmp_path / f"{'a' * 32}.sqlite"
    wrong.write_bytes(b"this is no database, but it may still hold somebody's rows" * 200)
    buffer = Buffer.open(tmp_path, clock=SystemClock())
    try:
        assert "0 rows in 0 batches" in buffer.problems()[0]
        assert wrong.with_name(f"{wrong.name}.damaged").read_bytes().startswith(b"this is no database")
        assert buffer.adopt_orphans() == []
        buffer.tidy()
        assert buffer.adopted == ()
    finally:
        buffer.close()


def test_the_file_of_a_process_that_lives_is_not_taken(storage: Storage) -> None:
    storage.add((1, None, 0))
    assert take_over(storage.buffer._store.path) is None
    assert storage.medias() == [1]


def test_what_was_adopted_keeps_its_writer_its_sequences_and_its_size(tmp_path: Path) -> None:
    packed = [content((1, "a", 0)), content((2, "b", 0))]
    adopted = take_over(left_by_a_dead_process(tmp_path / "buffer", *packed))
    assert adopted is not None
    try:
        (part,) = adopted.tail.parts("playlogs")
        rows = pa.concat_tables([chunk.rows for chunk in part.chunks])
        assert rows["writer_id"].to_pylist() == ["d" * 32] * 2
        assert rows["sequence"].to_pylist() == [1 << SEQUENCE_SHIFT, 2 << SEQUENCE_SHIFT]
        assert adopted.size == sum(each.size for each in packed)
    finally:
        adopted.store.close()


def test_a_file_of_a_newer_program_is_left_as_it_is(tmp_path: Path) -> None:
    path = left_by_a_dead_process(tmp_path / "buffer", content((1, "a", 0), newer=True))
    before = path.read_bytes()
    assert take_over(path) is None
    assert path.read_bytes() == before
    assert damage.kept(path.parent) == []


def test_one_batch_that_seems_newer_than_the_others_of_its_stream_is_damaged(tmp_path: Path) -> None:
    """The file is recovered without it, and kept as it was found."""
    path = left_by_a_dead_process(tmp_path / "buffer", content((1, "a", 0)), content((2, "b", 0), newer=True))
    adopted = take_over(path)
    assert adopted is not None
    try:
        (part,) = adopted.tail.parts("playlogs")
        assert [chunk.rows["media_id"].to_pylist() for chunk in part.chunks] == [[1]]
        assert [found.rows for found in damage.kept(path.parent)] == [1]
    finally:
        adopted.store.close()


def batch(stream: str = "playlogs", rows: int = 1) -> StoredBatch:
    return StoredBatch(3, stream, 0, NOON_US, rows, content((1, "a", 0)).to_pybytes())


def test_a_batch_becomes_a_chunk_of_its_accounts() -> None:
    chunk = decoded(batch(), Stamp("w1"))
    assert (chunk.first, chunk.last, chunk.accounts) == (3, 3, {"acme"})
    assert chunk.rows.schema == PLAYLOGS.stored_schema


def test_a_batch_with_another_number_of_rows_is_damaged() -> None:
    with pytest.raises(ValueError, match="1 rows in place of 2"):
        decoded(batch(rows=2), Stamp("w1"))


def test_a_batch_of_an_unknown_stream_is_a_newer_programs() -> None:
    with pytest.raises(NewerHome, match="stream posters"):
        decoded(batch("posters"), Stamp("w1"))
