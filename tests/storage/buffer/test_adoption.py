"""Several processes on one machine: each reads all buffers, the dead ones' are taken over."""

from __future__ import annotations

from airtally.storage.buffer.store import BufferStore
from fixtures.storage import Storage, lanes


def test_a_living_process_keeps_its_buffer_and_others_read_it(storage: Storage) -> None:
    storage.add((1, None, 0))
    other = storage.again()
    other.add((2, None, 0))
    assert other.buffer.adopted == ()
    assert storage.medias() == other.medias() == [1, 2]
    storage.add((3, None, 5))
    assert other.medias() == [1, 2, 3]
    storage.flusher().flush_all()
    assert storage.medias() == other.medias() == [1, 2, 3]
    storage.add((4, None, 0))
    assert other.medias() == [1, 2, 3, 4]


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


def test_rows_flushed_but_not_yet_deleted_are_not_flushed_again(storage: Storage, monkeypatch) -> None:
    storage.add((1, None, 0), (2, None, 9))
    with monkeypatch.context() as patched:
        patched.setattr(BufferStore, "discard_some", lambda *_: False)
        storage.event_store.flush()
    storage.abandon()
    other = storage.again()
    assert other.buffer.adopted
    assert other.medias() == [1, 2]
    other.flusher().step()
    assert other.medias() == [1, 2]
    assert other.buffer.adopted == ()


def test_a_clean_stop_leaves_no_file(storage: Storage) -> None:
    storage.add((1, None, 0))
    storage.flusher().flush_all()
    storage.buffer.close()
    assert list((storage.home / "buffer").iterdir()) == []


def test_an_account_sees_only_its_own(storage: Storage) -> None:
    storage.add((1, None, 0), account="acme")
    storage.add((2, None, 0), account="other")
    assert storage.medias("acme") == [1]
    assert {name for rows in storage.snapshot("acme").buffered for name in rows["account"].to_pylist()} == {"acme"}
    storage.event_store.flush()
    assert storage.medias("other") == [2]
    assert storage.medias("nobody") == []


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
