"""The wait for every machine's rows."""

from __future__ import annotations

import socket
import threading
from contextlib import ExitStack

import pytest
from sqlalchemy import select, update

from airtally.database.tables import nodes
from airtally.kit.errors import Unavailable
from airtally.storage import nodes as nodes_module
from airtally.storage.nodes import LIVE_US, Nodes
from fixtures.storage import Storage


class Node:
    """One machine: its buffer and its row among the nodes, over a lake that all share."""

    def __init__(self, metadata, storage):
        self.storage = storage
        self.nodes = Nodes(metadata, storage.clock, storage.buffer, storage.event_store.flush)
        self.nodes.join()


@pytest.fixture
def node(metadata, tmp_path, clock):
    with ExitStack() as opened:
        yield lambda: Node(metadata, Storage(tmp_path, clock, opened))


@pytest.fixture
def stepping():
    """`stepping(nodes)`: its loop on a thread of its own until the test's end."""
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


def test_every_live_node_flushes(node, stepping, clock):
    here, there = node(), node()
    here.storage.add((1, None, 0))
    there.storage.add((2, None, 0))
    clock.advance(1)
    stepping(there.nodes)
    here.nodes.wait_until_visible(clock.now_us())
    snapshot = here.storage.snapshot(flushed=True)
    assert sum(file.rows for file in snapshot.uncompacted) == 2
    assert there.storage.buffer.streams() == []


def test_again_for_what_came_later(node, stepping, clock):
    here, there = node(), node()
    stepping(there.nodes)
    for number in range(1, 4):
        clock.advance(0.5)
        there.storage.add((number, None, 0))
        here.nodes.wait_until_visible(clock.now_us())
        assert there.storage.buffer.streams() == []


def test_the_machine_that_does_not_come_is_named(node, metadata, clock, monkeypatch):
    monkeypatch.setattr(nodes_module, "WAIT_SECONDS", 0.4)
    here, there = node(), node()
    with metadata.begin() as connection:
        connection.execute(
            update(nodes).where(nodes.c.buffer_id == there.storage.buffer.id).values(host="player-host-7")
        )
    clock.advance(1)
    with pytest.raises(Unavailable, match="player-host-7") as late:
        here.nodes.wait_until_visible(clock.now_us())
    assert socket.gethostname() not in late.value.message


def test_nodes_not_heard_of_are_taken_for_dead(node, clock, monkeypatch):
    monkeypatch.setattr(nodes_module, "WAIT_SECONDS", 0.0)  # a wait would fail at once
    here, _ = node(), node()
    clock.advance(LIVE_US / 1e6 + 1)
    here.nodes.wait_until_visible(clock.now_us())
    assert here.nodes.live() == 1


def test_a_stop_ends_the_wait(node, clock):
    here, _ = node(), node()
    clock.advance(1)
    stop = threading.Event()
    stop.set()
    with pytest.raises(Unavailable):
        here.nodes.wait_until_visible(clock.now_us(), stop=stop)


def test_a_node_that_leaves_is_waited_for_no_longer(node, clock, metadata):
    here, there = node(), node()
    there.nodes.leave()
    clock.advance(1)
    here.nodes.wait_until_visible(clock.now_us())
    with metadata.read() as connection:
        assert connection.execute(select(nodes.c.buffer_id)).scalars().all() == [here.storage.buffer.id]


def test_a_process_without_buffer_waits_for_the_others(node, stepping, metadata, clock):
    there = node()
    worker = Nodes(metadata, clock, None, lambda: 0)
    worker.join()
    worker.step()
    there.storage.add((1, None, 0))
    clock.advance(1)
    stepping(there.nodes)
    worker.wait_until_visible(clock.now_us())
    assert there.storage.buffer.streams() == []
    assert worker.live() == 1


def test_a_flush_that_fails_is_told_and_nothing_is_claimed(node, metadata, clock, monkeypatch):
    monkeypatch.setattr(nodes_module, "WAIT_SECONDS", 0.3)
    here, there = node(), node()
    there.nodes._flush = lambda: 1 / 0
    clock.advance(1)
    with pytest.raises(Unavailable, match="ZeroDivisionError"):
        there.nodes.wait_until_visible(clock.now_us())
    for _ in range(2):
        with pytest.raises(Unavailable, match="machine"):
            here.nodes.wait_until_visible(clock.now_us())
        with pytest.raises(ZeroDivisionError):
            there.nodes.step()


def test_whether_there_are_others(metadata, node, clock):
    here = node()
    without_rows = Nodes(metadata, clock, None, lambda: 0)
    assert (here.nodes.alone(), without_rows.alone()) == (True, False)
    there = node()
    assert not here.nodes.alone()
    there.nodes.leave()
    assert here.nodes.alone()
    node()
    clock.advance(LIVE_US / 1_000_000 + 1)
    assert here.nodes.alone()


def test_a_killed_process_started_again_does_not_wait_for_itself(node, clock, metadata, monkeypatch):
    """Its buffer was adopted at the start, once or, killed again, twice: its rows are flushed here."""
    monkeypatch.setattr(nodes_module, "WAIT_SECONDS", 0)
    killed = [node(), node()]
    for number, each in enumerate(killed):
        each.storage.add((number, None, 0))
        each.storage.abandon()
    started = node()
    clock.advance(1)
    assert started.nodes.alone()
    started.nodes.wait_until_visible(clock.now_us())
    assert started.storage.medias() == [0, 1]
    there = node()
    clock.advance(1)
    with pytest.raises(Unavailable):  # another that lives is waited for all the same
        started.nodes.wait_until_visible(clock.now_us())
    there.nodes.leave()


def test_a_clock_that_is_set_back_lets_nobody_wait_for_itself(node, clock, monkeypatch):
    monkeypatch.setattr(nodes_module, "WAIT_SECONDS", 0)
    here = node()
    asked_at = clock.now_us()
    clock.advance(-3600)
    here.nodes.wait_until_visible(asked_at)
