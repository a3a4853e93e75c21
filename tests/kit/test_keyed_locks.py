from __future__ import annotations

import gc
import threading

from airtally.kit.keyed_locks import KeyedLocks


def test_those_of_one_key_wait_for_each_other_and_others_do_not() -> None:
    locks: KeyedLocks[str, threading.Lock] = KeyedLocks(threading.Lock)
    with locks.of("a"):
        assert not locks.of("a").acquire(blocking=False)
        assert locks.of("b").acquire(blocking=False)


def test_a_lock_is_there_for_as_long_as_somebody_holds_it() -> None:
    locks: KeyedLocks[int, threading.Lock] = KeyedLocks(threading.Lock)
    held = locks.of(0)
    for key in range(1000):
        with locks.of(key):
            pass
    gc.collect()
    assert list(locks._locks) == [0]
    assert locks.of(0) is held
