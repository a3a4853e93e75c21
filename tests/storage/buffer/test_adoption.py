"""Several processes on one machine: each reads all buffers, the dead ones' are taken over."""

from __future__ import annotations

from fixtures.storage import Storage, lanes


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


def test_a_file_without_anything_to_read_is_kept(tmp_path):
    from airtally.kit.clock import SystemClock
    from airtally.storage.buffer import Buffer

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
