"""Accounts take turns, however much work one of them has waiting."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from contextvars import copy_context
from typing import Any

import pytest

from airtally.kit.fair import CALLER, Queue, Room, Slots, aside, pause
from airtally.kit.fair_executor import FairExecutor


def test_keys_take_turns_whoever_has_more_waiting():
    queue: Queue[int] = Queue()
    for number in range(4):
        queue.put("loud", number)
    queue.put("quiet", 9)
    queue.put("third", 8)

    assert [queue.take() for _ in range(6)] == [
        ("loud", 0),
        ("quiet", 9),
        ("third", 8),
        ("loud", 1),
        ("loud", 2),
        ("loud", 3),
    ]
    assert queue.take() is None


def test_a_key_with_all_it_may_have_is_passed_over():
    queue: Queue[int] = Queue()
    queue.put("loud", 1)
    queue.put("quiet", 2)

    assert queue.take(lambda key: key != "loud") == ("quiet", 2)
    assert queue.take(lambda key: key != "loud") is None
    assert len(queue) == 1


def test_a_slot_is_handed_on_between_slices():
    slots, done, others = Slots(1), list[str](), threading.Event()

    def loud() -> None:
        with slots.held("loud"):
            others.wait(5)
            for number in range(3):
                done.append(f"loud {number}")
                pause()

    def quiet() -> None:
        with slots.held("quiet"):
            done.append("quiet")

    threads = [threading.Thread(target=loud)]
    threads[0].start()
    _until(lambda: slots._holders == {"loud": 1})
    threads.append(threading.Thread(target=quiet))
    threads[1].start()
    _until(lambda: len(slots._waiting) == 1)
    others.set()
    for thread in threads:
        thread.join(5)

    assert done == ["loud 0", "quiet", "loud 1", "loud 2"]


def test_a_pause_outside_of_a_slot_is_nothing():
    pause()


def test_one_key_has_no_more_than_its_slots():
    slots, inside, most = Slots(4, each=2), list[int](), list[int]()

    def work() -> None:
        with slots.held("loud"):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.01)
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)

    assert max(most) == 2
    with slots.held("quiet"):
        pass


def test_a_wait_for_a_slot_has_an_end():
    slots = Slots(1)
    with slots.held("loud"), pytest.raises(TimeoutError):
        slots.acquire("quiet", 0.01)
    slots.acquire("quiet", 0.01)
    slots.release("quiet")


def test_a_caller_does_not_wait_for_anothers_calls():
    executor, release = FairExecutor(3, each=2, name="test"), threading.Event()
    try:
        loud = [_submit(executor, "loud", release.wait) for _ in range(20)]
        quiet = _submit(executor, "quiet", lambda: "done")

        assert quiet.result(5) == "done"
        assert not any(each.done() for each in loud)
    finally:
        release.set()
        executor.shutdown()
    assert all(each.done() for each in loud)


def test_a_close_ends_all_threads_whoever_sees_it_first():
    """Also where an idle thread takes every signal of the close while another's calls still wait."""
    executor, release = FairExecutor(3, each=2, name="test"), threading.Event()
    loud = [_submit(executor, "loud", release.wait) for _ in range(20)]
    assert _submit(executor, "quiet", lambda: "done").result(5) == "done"
    executor.shutdown(wait=False)
    _until(executor._signals.empty)
    release.set()
    for thread in executor._made:
        thread.join(10)
    assert not any(thread.is_alive() for thread in executor._made)
    assert all(each.done() for each in loud)


def test_what_a_call_raises_comes_back():
    executor = FairExecutor(1, each=1, name="test")
    failed = _submit(executor, "any", lambda: 1 // 0)

    with pytest.raises(ZeroDivisionError):
        failed.result(5)
    executor.shutdown()
    with pytest.raises(RuntimeError):
        executor.submit(pause)


def test_every_call_is_made_however_many_threads_there_are():
    executor = FairExecutor(4, each=2, name="test")
    futures = [_submit(executor, str(n % 7), lambda n=n: n) for n in range(500)]

    assert [each.result(10) for each in futures] == list(range(500))
    executor.shutdown()


def _submit(executor: FairExecutor, caller: str, call: Any) -> Future[Any]:
    context = copy_context()
    context.run(CALLER.set, caller)
    return context.run(executor.submit, call)


def _until(true: Any) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_whoever_waits_for_something_else_gives_the_slot_up():
    """As for a lock or a database: another account's work goes on meanwhile, and a pause in between takes nothing."""
    slots, lock, other = Slots(1), threading.Lock(), threading.Event()

    def waits() -> None:
        with slots.held("loud"), aside():
            pause()
            with lock:
                pass

    with lock:
        thread = threading.Thread(target=waits)
        thread.start()
        with slots.held("quiet"):
            other.set()
        assert other.is_set()
    thread.join(60)
    assert not thread.is_alive()
    assert slots._holders == {}


def test_room_is_for_so_many_bytes_of_all_and_of_each():
    """Keys take turns, one that has its share is passed over, and a large one is not passed over for ever."""
    room, order = Room(100, each=60), list[str]()
    leave = {name: threading.Event() for name in ("a1", "a2", "b1", "c1")}

    def hold(name: str, size: int) -> threading.Thread:
        def run() -> None:
            with room.held(name[0], size):
                order.append(name)
                leave[name].wait(60)

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    threads = [hold("a1", 50)]
    _until(lambda: order == ["a1"])
    threads.append(hold("a2", 50))  # beyond its share, though there is room
    _until(lambda: len(room._waiting) == 1)
    threads.append(hold("b1", 1000))  # as much as each may have, which is not free
    _until(lambda: len(room._waiting) == 2)
    threads.append(hold("c1", 10))  # free, but another's turn comes first
    _until(lambda: len(room._waiting) == 3)
    assert order == ["a1"]
    leave["a1"].set()
    _until(lambda: order == ["a1", "a2"])
    leave["a2"].set()
    _until(lambda: len(order) == 4)
    assert {*order[2:]} == {"b1", "c1"}
    for name in ("b1", "c1"):
        leave[name].set()
    for thread in threads:
        thread.join(60)
    assert (room._free, room._holders) == (100, {})


def test_a_turn_lasts_for_its_time():
    """Whoever has less to do than a turn lasts need not wait for others between its slices."""
    slots, done = Slots(1, turn=0.02), list[str]()

    def loud() -> None:
        with slots.held("loud"):
            done.append("loud")
            _until(lambda: slots._waiting.has_other("loud"))
            for _ in range(3):
                pause()
            done.append("loud")
            while "quiet" not in done:
                pause()

    def quiet() -> None:
        with slots.held("quiet"):
            done.append("quiet")

    threads = [threading.Thread(target=loud)]
    threads[0].start()
    _until(lambda: done == ["loud"])
    threads.append(threading.Thread(target=quiet))
    threads[1].start()
    for thread in threads:
        thread.join(60)
    assert done == ["loud", "loud", "quiet"]
