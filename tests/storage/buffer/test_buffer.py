"""Rows are on disk before their answer; none is lost, and no batch is kept in part."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from threading import Event

import pyarrow as pa
import pytest

from airtally.kit.clock import MovableClock
from airtally.kit.errors import StorageFull, TooManyRequests, Unavailable
from airtally.kit.faults import Faults
from airtally.storage.buffer import Buffer
from airtally.streams.declaration import SEQUENCE_SHIFT
from airtally.streams.playlogs import PLAYLOGS
from fixtures.storage import NOON_US, Storage, playlogs


class Broken(Faults):
    """Fails at a point while `error` is set; waits there while `held` is not."""

    def __init__(self, point: str) -> None:
        self.point = point
        self.error: Exception | None = None
        self.held = Event()
        self.held.set()
        self.reached = Event()

    def reach(self, point: str) -> None:
        if point == self.point:
            self.reached.set()
            self.held.wait(120)
            if self.error is not None:
                raise self.error


def test_acknowledged_rows_are_seen_at_once_and_survive(storage: Storage) -> None:
    storage.add((1, "a", 0), (2, None, 0))
    assert storage.medias() == [1, 2]
    storage.abandon()
    assert storage.again().medias() == [1, 2]


def test_rows_carry_when_where_and_in_which_order_they_came(storage: Storage) -> None:
    storage.add((1, None, 0))
    storage.clock.advance(1)
    storage.add((2, None, 0), (3, None, 0))
    rows = pa.concat_tables(storage.snapshot().buffered)
    assert rows.schema == PLAYLOGS.stored_schema
    assert rows["received_at"].cast(pa.int64()).to_pylist() == [NOON_US, NOON_US + 1_000_000, NOON_US + 1_000_000]
    assert set(rows["writer_id"].to_pylist()) == {storage.buffer.id}
    assert rows["sequence"].to_pylist() == [1 << SEQUENCE_SHIFT, 2 << SEQUENCE_SHIFT, (2 << SEQUENCE_SHIFT) + 1]


def test_requests_under_way_share_a_commit(storage: Storage) -> None:
    faults = Broken("buffer.write")
    other = storage.again(faults)
    faults.held.clear()
    first = other.buffer.append(PLAYLOGS, "acme", playlogs((0, None, 0)))
    assert faults.reached.wait(120)
    waiting = [other.buffer.append(PLAYLOGS, name, playlogs((n, None, 0))) for n in range(20) for name in ("acme", "b")]
    faults.held.set()
    assert first.result(10).sequence == 1
    assert {future.result(10).sequence for future in waiting} == {2}
    assert len(other.medias("acme")) == 21
    assert other.medias("b") == list(range(20))


def test_a_claims_answer_is_committed_with_its_rows(storage: Storage) -> None:
    storage.buffer.append(PLAYLOGS, "acme", playlogs((1, None, 0)), claim=("k", b"answer")).result(10)
    storage.buffer.append(PLAYLOGS, "acme", playlogs(), claim=("empty", b"none")).result(10)
    storage.abandon()
    other = storage.again()
    assert other.buffer.claim_answer("k") == b"answer"
    assert other.buffer.claim_answer("empty") == b"none"
    assert other.buffer.claim_answer("unknown") is None
    other.flusher().flush_all()
    assert other.buffer.adopted == (storage.buffer.id,), "a file with open claims stays"
    other.buffer.settled(storage.buffer.id)
    other.buffer.tidy()
    assert other.buffer.adopted == ()
    assert other.buffer.claim_answer("k") is None


@pytest.mark.parametrize("ask", [lambda buffer: buffer.claim_answer("k"), lambda buffer: buffer.forget_claims(["k"])])
def test_claims_are_asked_for_while_an_adopted_file_is_removed(
    storage: Storage, monkeypatch: pytest.MonkeyPatch, ask: Callable[[Buffer], object]
) -> None:
    """`tidy` runs between any two calls on the writer's thread: no call may use a file that was found before it."""
    storage.add((1, "a", 0))
    storage.abandon()
    other = storage.again()
    writer = other.buffer._writer
    call = writer.call

    def then_tidied(function: Callable[[], object]) -> object:
        found = call(function)
        monkeypatch.setattr(writer, "call", call)
        other.buffer.settled(storage.buffer.id)
        other.flusher().flush_all()
        monkeypatch.setattr(writer, "call", then_tidied)
        return found

    monkeypatch.setattr(writer, "call", then_tidied)
    ask(other.buffer)
    assert other.buffer.adopted == ()
    monkeypatch.setattr(writer, "call", call)
    assert other.medias() == [1]


def test_writers_are_refused_over_the_limit_and_let_in_after_a_flush(storage: Storage) -> None:
    storage.add(*((n, f"{os.urandom(40).hex()}", 0) for n in range(60)))
    storage.buffer._max_bytes = storage.buffer.live_bytes
    with pytest.raises(TooManyRequests) as refused:
        storage.add((1, None, 0))
    assert refused.value.retry_after
    with pytest.raises(TooManyRequests):
        storage.buffer.check_room(1)
    storage.flusher().flush_all()
    storage.add((100, None, 0))
    assert storage.medias() == [*range(60), 100]
    assert storage.buffer.live_bytes > 0
    assert storage.buffer._pending == 0


def test_a_full_file_refuses_wholly_and_works_again(storage: Storage) -> None:
    storage.add((1, None, 0))
    _limit_pages(storage.buffer, 1)
    future = storage.buffer.append(PLAYLOGS, "acme", _noise(2000), claim=("k", b"answer"))
    with pytest.raises(StorageFull):
        future.result(10)
    assert storage.medias() == [1]
    assert storage.buffer.claim_answer("k") is None
    _limit_pages(storage.buffer, 1 << 30)
    storage.add((2, None, 0))
    assert storage.medias() == [1, 2]


@pytest.mark.parametrize(
    ("error", "failure"), [(OSError(errno.ENOSPC, "full"), StorageFull), (OSError(errno.EIO, "broken"), Unavailable)]
)
def test_a_failing_disk_fails_the_requests_and_nothing_else(storage: Storage, error: OSError, failure: type) -> None:
    faults = Broken("buffer.write")
    other = storage.again(faults)
    faults.error = error
    with pytest.raises(failure):
        other.add((1, None, 0))
    faults.error = None
    other.add((2, None, 0))
    assert other.medias() == [2]


def test_who_goes_away_does_not_stop_the_writer(storage: Storage) -> None:
    future: Future[object] = storage.buffer.append(PLAYLOGS, "acme", playlogs((1, None, 0)))
    assert not future.cancel()
    storage.add((2, None, 0))
    assert storage.medias() == [1, 2]


def test_a_real_full_disk(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk], capture_output=True, check=False)
    if mounted.returncode != 0:
        pytest.skip("needs permission to mount a small tmpfs")
    try:
        with ExitStack() as opened:
            _fill_and_free(Storage(disk, MovableClock(NOON_US), opened), disk)
    finally:
        subprocess.run(["umount", disk], check=True)


def _fill_and_free(storage: Storage, disk: Path) -> None:
    storage.add((1, None, 0))
    kept = _fill(storage)
    assert kept > 0
    assert len(storage.medias()) == 1 + 1000 * kept
    filler = disk / "filler"
    filler.write_bytes(b"")
    with pytest.raises(OSError, match="No space"):
        filler.write_bytes(bytes(4 << 20))
    with pytest.raises(StorageFull):
        storage.event_store.flush()
    assert len(storage.medias()) == 1 + 1000 * kept
    filler.unlink()
    _remount(disk)
    storage.flusher().flush_all()
    storage.add((2, None, 0))
    assert len(storage.medias()) == 2 + 1000 * kept
    assert storage.snapshot().buffered[0].num_rows == 1


def _fill(storage: Storage) -> int:
    """Thousands of rows kept until the disk was full."""
    for kept in range(100):
        future = storage.buffer.append(PLAYLOGS, "acme", _noise(1000))
        if isinstance(future.exception(10), StorageFull):
            return kept
    raise AssertionError("the disk did not fill")


def _remount(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=16m", disk], check=True)


def _limit_pages(buffer: Buffer, pages: int) -> None:
    buffer._writer.call(lambda: buffer._store.connection.execute(f"PRAGMA max_page_count = {pages}").fetchall())


def _noise(rows: int) -> pa.Table:
    return playlogs(*((n, os.urandom(40).hex(), 0) for n in range(rows)))


def test_a_closed_buffer_refuses_and_keeps_nobody_waiting(storage: Storage) -> None:
    storage.add((1, "a", 0))
    [part] = storage.buffer.tail(PLAYLOGS)
    storage.buffer.close()
    with pytest.raises(Unavailable):
        storage.buffer.append(PLAYLOGS, "acme", playlogs((2, "b", 0))).result(5)
    with pytest.raises(Unavailable):
        storage.buffer.discard(PLAYLOGS, part, part.chunks[-1].last)


def test_rows_of_a_buffer_that_is_gone_are_not_looked_for_in_another(storage: Storage) -> None:
    storage.add((1, "a", 0))
    [part] = storage.buffer.tail(PLAYLOGS)
    storage.buffer.discard(PLAYLOGS, replace(part, buffer_id="0" * 32), part.chunks[-1].last)
    assert storage.medias() == [1]
