"""The rows of a buffer in memory: joined when they are read, cut when they are flushed."""

from __future__ import annotations

import threading

import pytest

from airtally.storage.buffer.batches import Stamp, with_account, with_day
from airtally.storage.buffer.tail import Chunk, Tail
from airtally.streams.playlogs import PLAYLOGS
from fixtures.storage import NOON_US, playlogs

STAMP = Stamp("w1")


def chunk(sequence: int, *medias: int, account: str = "acme") -> Chunk:
    rows = with_day(PLAYLOGS, with_account(playlogs(*((media, None, 0) for media in medias)), account))
    stored = STAMP.stored(PLAYLOGS, rows, NOON_US + sequence, sequence)
    return Chunk(stored, sequence, sequence, frozenset({account}), 10 * len(medias), NOON_US + sequence)


@pytest.fixture
def tail() -> Tail:
    return Tail("w1", STAMP.column)


def medias(tail: Tail) -> list[int]:
    return [
        media for part in tail.parts("playlogs") for each in part.chunks for media in each.rows["media_id"].to_pylist()
    ]


def test_small_chunks_are_joined_and_keep_their_writer(tail):
    for sequence in range(1, 6):
        tail.append("playlogs", 0, chunk(sequence, sequence))
    (part,) = tail.parts("playlogs")
    (joined,) = part.chunks
    assert (joined.first, joined.last, joined.size, part.rows) == (1, 5, 50, 5)
    assert joined.received_at_us == NOON_US + 1, "the age of the oldest"
    assert joined.rows["writer_id"].to_pylist() == ["w1"] * 5


def test_what_is_flushed_is_dropped_also_from_the_middle_of_a_joined_chunk(tail):
    for sequence in range(1, 5):
        tail.append("playlogs", 0, chunk(sequence, sequence))
    assert medias(tail) == [1, 2, 3, 4]
    assert tail.drop("playlogs", 0, 2) == 20
    tail.append("playlogs", 0, chunk(5, 5))
    assert medias(tail) == [3, 4, 5]
    assert tail.drop("playlogs", 0, 5) == 30
    assert (medias(tail), tail.streams, tail.drop("playlogs", 0, 9), tail.drop("players", 0, 9)) == ([], [], 0, 0)


def test_lanes_are_flushed_each_as_an_application_of_its_own(tail):
    tail.append("playlogs", 0, chunk(1, 1))
    tail.append("playlogs", 1, chunk(2, 2))
    assert [part.app_id for part in tail.parts("playlogs")] == ["w1:0", "w1:1"]
    tail.drop("playlogs", 1, 9)
    assert medias(tail) == [1]


def test_a_reader_gets_its_accounts_rows_above_a_sequence(tail):
    for sequence, account in ((1, "acme"), (2, "other"), (3, "acme")):
        tail.append("playlogs", 0, chunk(sequence, sequence, account=account))
    (joined,) = tail.parts("playlogs")[0].chunks
    assert joined.of_account("acme", 0)["media_id"].to_pylist() == [1, 3]
    assert joined.of_account("acme", 1)["media_id"].to_pylist() == [3]
    assert joined.of_account("acme", 3) is None
    assert joined.of_account("nobody", 0) is None


def test_lanes_that_threads_add_at_once_are_all_there(tail):
    begin = threading.Barrier(4)

    def add(number: int) -> None:
        begin.wait()
        for sequence in range(50):
            tail.append("playlogs", number, chunk(sequence + 1, number))
            tail.parts("playlogs")

    threads = [threading.Thread(target=add, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(medias(tail)) == sorted([number for number in range(4) for _ in range(50)])
