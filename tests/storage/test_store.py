"""Buffer and lake as one: every acknowledged row is there once, wherever it is on its way."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from threading import Event, Thread

from hypothesis import given, settings
from hypothesis import strategies as st

from airtally.kit.clock import MovableClock
from airtally.storage.buffer.store import BufferStore
from airtally.streams.playlogs import PLAYLOGS
from fixtures.storage import NOON_US, Storage, playlogs, stored_rows


def test_files_rows_are_appended_once(storage: Storage) -> None:
    event_store = storage.event_store
    assert event_store.committed(PLAYLOGS, "file:x") is None
    assert event_store.append_file_rows(PLAYLOGS, "acme", playlogs((1, "a", 0), (2, "b", 30)), "file:x", 1000)
    assert not event_store.append_file_rows(PLAYLOGS, "acme", playlogs((1, "a", 0)), "file:x", 1000)
    assert event_store.append_file_rows(PLAYLOGS, "acme", playlogs((3, None, 0)), "file:x", 2000)
    assert event_store.committed(PLAYLOGS, "file:x") == 2000
    assert storage.medias() == [1, 2, 3]
    places = stored_rows(storage.snapshot()).select(["writer_id", "sequence"]).to_pylist()
    assert len({(row["writer_id"], row["sequence"]) for row in places}) == 3


def test_a_flushed_snapshot_has_no_buffered_rows(storage: Storage) -> None:
    assert storage.snapshot(flushed=True).version >= 0
    storage.add((1, None, 0))
    snapshot = storage.snapshot(flushed=True)
    assert snapshot.buffered == ()
    assert sum(file.rows for file in snapshot.uncompacted) == 1
    assert snapshot.data_through_us == storage.clock.now_us()


@settings(max_examples=12, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 600), st.integers(0, 3), st.booleans()), max_size=12))
def test_whatever_the_batches_each_row_is_there_once(steps: list[tuple[int, int, bool]]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder, ExitStack() as opened:
        storage = Storage(Path(folder), MovableClock(NOON_US), opened)
        sent: list[int] = []
        for rows, days, flush in steps:
            new = range(len(sent), len(sent) + rows)
            storage.add(*((n, None, n % (days + 1)) for n in new))
            sent += new
            if flush:
                storage.flusher().flush_all()
            assert storage.medias() == sent


def test_readers_never_miss_a_row_while_it_moves(storage: Storage) -> None:
    acknowledged = 0
    stop = Event()

    def write() -> None:
        nonlocal acknowledged
        while not stop.is_set():
            storage.add((1, None, acknowledged % 3))
            acknowledged += 1

    def flush() -> None:
        while not stop.is_set():
            storage.flusher().flush_all()

    threads = [Thread(target=write), Thread(target=flush)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(15):
            before = acknowledged
            found = storage.medias()
            assert before <= len(found) <= acknowledged + 1
    finally:
        stop.set()
        for thread in threads:
            thread.join()


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


def test_an_account_sees_only_its_own(storage: Storage) -> None:
    storage.add((1, None, 0), account="acme")
    storage.add((2, None, 0), account="other")
    assert storage.medias("acme") == [1]
    assert {name for rows in storage.snapshot("acme").buffered for name in rows["account"].to_pylist()} == {"acme"}
    storage.event_store.flush()
    assert storage.medias("other") == [2]
    assert storage.medias("nobody") == []
