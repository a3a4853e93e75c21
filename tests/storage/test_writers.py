"""The wait for the rows of every writer."""

from __future__ import annotations

import socket
import threading
from contextlib import ExitStack

import pytest
from sqlalchemy import select, update

from airtally.database.tables import writers
from airtally.kit.errors import Unavailable
from airtally.storage import writers as writers_module
from airtally.storage.writers import LIVE_US, Writers
from fixtures.storage import Storage


class Process:
    """A process on a host of its own: its buffer and its row among the writers, over a lake that all share."""

    def __init__(self, metadata, storage):
        self.storage = storage
        self.writers = Writers(metadata, storage.clock, storage.buffer, storage.event_store.flush)
        self.writers.join()


@pytest.fixture
def writer(metadata, tmp_path, clock):
    with ExitStack() as opened:
        yield lambda: Process(metadata, Storage(tmp_path, clock, opened))


@pytest.fixture
def stepping():
    """`stepping(writers)`: its loop on a thread of its own until the test's end."""
    stopped = threading.Event()
    threads = []

    def run(each):
        while not stopped.wait(0.02):
            each.step()

    def start(each):
        threads.append(threading.Thread(target=run, args=(each,)))
        threads[-1].start()

    yield start
    stopped.set()
    for thread in threads:
        thread.join()


def test_every_live_writer_flushes(writer, stepping, clock):
    here, there = writer(), writer()
    here.storage.add((1, None, 0))
    there.storage.add((2, None, 0))
    clock.advance(1)
    stepping(there.writers)
    here.writers.wait_until_visible(clock.now_us())
    snapshot = here.storage.snapshot(flushed=True)
    assert sum(file.rows for file in snapshot.uncompacted) == 2
    assert there.storage.buffer.streams() == []


def test_again_for_what_came_later(writer, stepping, clock):
    here, there = writer(), writer()
    stepping(there.writers)
    for number in range(1, 4):
        clock.advance(0.5)
        there.storage.add((number, None, 0))
        here.writers.wait_until_visible(clock.now_us())
        assert there.storage.buffer.streams() == []


def test_the_host_that_does_not_flush_is_named(writer, metadata, clock, monkeypatch):
    monkeypatch.setattr(writers_module, "WAIT_SECONDS", 0.4)
    here, there = writer(), writer()
    with metadata.begin() as connection:
        connection.execute(
            update(writers).where(writers.c.buffer_id == there.storage.buffer.id).values(host="player-host-7")
        )
    clock.advance(1)
    with pytest.raises(Unavailable, match="player-host-7") as late:
        here.writers.wait_until_visible(clock.now_us())
    assert socket.gethostname() not in late.value.message


def test_writers_not_heard_of_are_taken_for_dead(writer, clock, monkeypatch):
    monkeypatch.setattr(writers_module, "WAIT_SECONDS", 0.0)  # a wait would fail at once
    here, _ = writer(), writer()
    clock.advance(LIVE_US / 1e6 + 1)
    here.writers.wait_until_visible(clock.now_us())
    assert here.writers.live() == 1


def test_a_stop_ends_the_wait(writer, clock):
    here, _ = writer(), writer()
    clock.advance(1)
    stop = threading.Event()
    stop.set()
    with pytest.raises(Unavailable):
        here.writers.wait_until_visible(clock.now_us(), stop=stop)


def test_a_writer_that_leaves_is_waited_for_no_longer(writer, clock, metadata):
    here, there = writer(), writer()
    there.writers.leave()
    clock.advance(1)
    here.writers.wait_until_visible(clock.now_us())
    with metadata.read() as connection:
        assert connection.execute(select(writers.c.buffer_id)).scalars().all() == [here.storage.buffer.id]


def test_a_process_without_buffer_waits_for_the_others(writer, stepping, metadata, clock):
    there = writer()
    worker = Writers(metadata, clock, None, lambda: 0)
    worker.join()
    worker.step()
    there.storage.add((1, None, 0))
    clock.advance(1)
    stepping(there.writers)
    worker.wait_until_visible(clock.now_us())
    assert there.storage.buffer.streams() == []
    assert worker.live() == 1


def test_a_flush_that_fails_is_told_and_nothing_is_claimed(writer, metadata, clock, monkeypatch):
    monkeypatch.setattr(writers_module, "WAIT_SECONDS", 0.3)
    here, there = writer(), writer()
    there.writers._flush = lambda: 1 / 0
    clock.advance(1)
    with pytest.raises(Unavailable, match="ZeroDivisionError"):
        there.writers.wait_until_visible(clock.now_us())
    for _ in range(2):
        with pytest.raises(Unavailable, match="received by the writer"):
            here.writers.wait_until_visible(clock.now_us())
        with pytest.raises(ZeroDivisionError):
            there.writers.step()


def test_whether_there_are_others(metadata, writer, clock):
    here = writer()
    without_rows = Writers(metadata, clock, None, lambda: 0)
    assert (here.writers.alone(), without_rows.alone()) == (True, False)
    there = writer()
    assert not here.writers.alone()
    there.writers.leave()
    assert here.writers.alone()
    writer()
    clock.advance(LIVE_US / 1_000_000 + 1)
    assert here.writers.alone()


def test_a_killed_process_started_again_does_not_wait_for_itself(writer, clock, metadata, monkeypatch):
    """Its buffer was adopted at the start, once or, killed again, twice: its rows are flushed here."""
    monkeypatch.setattr(writers_module, "WAIT_SECONDS", 0)
    killed = [writer(), writer()]
    for number, each in enumerate(killed):
        each.storage.add((number, None, 0))
        each.storage.abandon()
    started = writer()
    clock.advance(1)
    assert started.writers.alone()
    started.writers.wait_until_visible(clock.now_us())
    assert started.storage.medias() == [0, 1]
    there = writer()
    clock.advance(1)
    with pytest.raises(Unavailable):  # another that lives is waited for all the same
        started.writers.wait_until_visible(clock.now_us())
    there.writers.leave()


def test_a_clock_that_is_set_back_lets_nobody_wait_for_itself(writer, clock, monkeypatch):
    monkeypatch.setattr(writers_module, "WAIT_SECONDS", 0)
    here = writer()
    asked_at = clock.now_us()
    clock.advance(-3600)
    here.writers.wait_until_visible(asked_at)
