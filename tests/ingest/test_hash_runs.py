from __future__ import annotations

import numpy as np
import pytest

from airtally.ingest.hash_runs import HashRuns, among, repeated


@pytest.mark.parametrize("size", [1, 100, 5000])
def test_runs_are_few_and_hold_all(size: int) -> None:
    chance, runs = np.random.default_rng(3), HashRuns()
    batches = [chance.integers(0, 1 << 63, size, dtype=np.uint64) for _ in range(40)]
    for batch in batches:
        runs.add(batch)
    assert runs.runs <= 12
    assert all(runs.holds(batch).all() for batch in batches)
    assert not runs.holds(chance.integers(1 << 63, 1 << 64, 100, dtype=np.uint64)).any()
    assert runs.size == 8 * len(runs) == 8 * 40 * size


def test_what_is_added_again_takes_no_room() -> None:
    runs = HashRuns()
    for _ in range(50):
        runs.add(np.arange(1000, dtype=np.uint64))
    assert len(runs) == 1000


def test_nothing_holds_nothing() -> None:
    runs, none = HashRuns(), np.empty(0, dtype=np.uint64)
    runs.add(none)
    assert not runs.holds(np.array([1], dtype=np.uint64)).any()
    assert len(runs.holds(none)) == len(repeated(none)) == len(among(none, none)) == 0


def test_repeats_and_members_keep_their_places() -> None:
    hashes = np.array([5, 1, 5, 2, 1, 9], dtype=np.uint64)
    assert repeated(hashes).tolist() == [True, True, True, False, True, False]
    assert among(np.array([9, 1], dtype=np.uint64), hashes).tolist() == [False, True, False, False, True, True]
