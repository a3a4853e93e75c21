from __future__ import annotations

import threading
import time

import pytest

from airtally.engine import limits
from airtally.engine.limits import TimeLimit, finished_in
from airtally.kit.errors import LimitExceeded


def test_what_takes_too_long_is_stopped_once_and_the_limit_is_named() -> None:
    stopped = threading.Event()
    with TimeLimit(0.02, stopped.set) as limit:
        assert stopped.wait(60)
    assert limit.over
    assert "0.02 s (AIRTALLY_QUERY_SECONDS)" in limit.failure.message


def test_what_is_done_in_time_is_not_stopped() -> None:
    calls: list[str] = []
    with TimeLimit(60, lambda: calls.append("early")) as limit:
        pass
    with TimeLimit(0.01, lambda: calls.append("late")):
        pass
    time.sleep(0.1)
    assert not limit.over
    assert "early" not in calls


def test_an_end_waits_for_the_stop_that_has_begun() -> None:
    begun, ended = threading.Event(), threading.Event()

    def stop() -> None:
        begun.set()
        time.sleep(0.05)
        ended.set()

    with TimeLimit(0.01, stop):
        assert begun.wait(60)
    assert ended.is_set()


def test_a_short_limit_comes_before_a_long_one_that_began_earlier() -> None:
    order: list[float] = []
    both = threading.Barrier(3)

    def limited(seconds: float) -> None:
        over = threading.Event()
        with TimeLimit(seconds, over.set):
            over.wait(60)
            order.append(seconds)
        both.wait(60)

    for seconds in (0.3, 0.01):
        threading.Thread(target=limited, args=(seconds,), daemon=True).start()
    both.wait(60)
    assert order == [0.01, 0.3]


def test_work_is_awaited_no_longer_than_the_limit_and_a_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "GRACE_SECONDS", 0.01)
    going_on = threading.Event()
    with pytest.raises(LimitExceeded, match="AIRTALLY_QUERY_SECONDS"):
        finished_in(0.01, lambda: going_on.wait(60))
    going_on.set()
    assert finished_in(60, lambda: "done") == "done"
    assert finished_in(None, lambda: "done") == "done"


def test_what_work_raises_is_raised_a_time_out_of_its_own_too() -> None:
    def fail() -> None:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        finished_in(60, fail)
