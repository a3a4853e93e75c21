"""One buffer file: whole transactions, sequences never used again, a lock that shows whether its process lives."""

from __future__ import annotations

import sqlite3

import pyarrow as pa
import pytest

from airtally.storage.buffer.store import BufferStore, NewBatch


def batch(text: str, lane: int = 0) -> NewBatch:
    return NewBatch("playlogs", lane, 1, 1, pa.py_buffer(text.encode()))


@pytest.fixture
def store(tmp_path):
    store = BufferStore.create(tmp_path, "b1")
    yield store
    store.close()


def contents(store: BufferStore) -> list[bytes]:
    return [each.content for each in store.batches()]


def test_sequences_go_on_where_a_file_is_emptied(store):
    assert store.insert([batch("a"), batch("b")], []) == [1, 2]
    store.discard_some("playlogs", 0, 2)
    assert store.empty
    assert store.insert([batch("c")], []) == [3]


def test_a_transaction_that_fails_leaves_nothing(store):
    with pytest.raises(sqlite3.Error):
        store.insert([batch("a")], [("k", None)])  # type: ignore[list-item]
    assert store.empty
    store.insert([batch("b")], [("k", b"answer")])
    assert (contents(store), store.claim_answer("k")) == ([b"b"], b"answer")


def test_flushed_batches_of_one_lane_are_discarded_some_at_a_time(store):
    store.insert([batch(str(n)) for n in range(130)] + [batch("late", lane=1)], [])
    assert store.discard_some("playlogs", 0, 130)
    assert not store.discard_some("playlogs", 0, 130)
    assert contents(store) == [b"late"]


def test_claims_keep_a_file_until_they_are_forgotten(store):
    store.insert([], [("a", b"1"), ("b", b"2")])
    store.forget_claims(["a"])
    assert (store.claim_answer("a"), store.claim_answer("b"), store.empty) == (None, b"2", False)
    store.forget_all_claims()
    assert store.empty


def test_a_file_has_one_owner(store, tmp_path):
    assert BufferStore.adopt(store.path) is None
    store.insert([batch("a")], [])
    store.close()
    adopted = BufferStore.adopt(store.path)
    assert adopted is not None
    assert contents(adopted) == [b"a"]
    adopted.discard_some("playlogs", 0, 9)
    adopted.remove()
    assert list(tmp_path.iterdir()) == []
