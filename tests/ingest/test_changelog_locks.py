from __future__ import annotations

import threading
import time

from airtally.ingest.changelog_locks import ChangelogLocks


def _entered(turn, seen: threading.Event, leave: threading.Event) -> threading.Thread:
    def run() -> None:
        with turn:
            seen.set()
            leave.wait(120)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def test_equal_keys_wait_for_each_other_and_others_do_not() -> None:
    turns, leave = ChangelogLocks(), threading.Event()
    seen = [threading.Event() for _ in range(3)]
    threads = [_entered(turns.of_key(key), each, leave) for key, each in zip("aab", seen, strict=True)]
    assert seen[2].wait(120)
    time.sleep(0.05)
    assert seen[0].is_set() + seen[1].is_set() == 1
    leave.set()
    for thread in threads:
        thread.join(120)
    assert all(each.is_set() for each in seen)


def test_a_batch_is_alone_and_does_not_starve() -> None:
    turns, leave, batch_leave = ChangelogLocks(), threading.Event(), threading.Event()
    key, batch, late = threading.Event(), threading.Event(), threading.Event()
    _entered(turns.of_key("a"), key, leave)
    assert key.wait(120)
    _entered(turns.of_batch(), batch, batch_leave)
    time.sleep(0.05)
    assert not batch.is_set()
    _entered(turns.of_key("b"), late, leave)
    time.sleep(0.05)
    assert not late.is_set(), "a key came between a waiting batch and its turn"
    leave.set()
    assert batch.wait(120)
    time.sleep(0.05)
    assert not late.is_set()
    batch_leave.set()
    assert late.wait(120)
