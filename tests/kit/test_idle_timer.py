"""What is not used for a while is ended once, and not while somebody uses it."""

from __future__ import annotations

import threading

from airtally.kit.idle_timer import IdleTimer


def test_it_ends_once_after_the_last_start():
    ended, due = threading.Event(), []

    def end() -> None:
        due.append(timer.is_due)
        ended.set()

    timer = IdleTimer(0.05, end)
    timer.start()
    timer.start()
    assert ended.wait(10)
    assert due == [True]
    assert not timer.is_due, "only the timer's own thread is due"


def test_one_that_was_stopped_while_it_waited_for_the_lock_is_not_due():
    lock, asked, due = threading.Lock(), threading.Event(), []

    def end() -> None:
        with lock:
            due.append(timer.is_due)
        asked.set()

    timer = IdleTimer(0.01, end)
    with lock:
        timer.start()
        threading.Event().wait(0.1)  # it runs, and waits for the lock
        timer.stop()
    assert asked.wait(10)
    assert due == [False]
