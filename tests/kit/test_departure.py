"""A client that leaves: what is stopped, when, and what waits for a slot."""

from __future__ import annotations

import threading
import time

import pytest

from airtally.kit.departure import DEPARTURE, Departure, check_present, stopped_by_departure
from airtally.kit.errors import BadRequest
from airtally.kit.fair import Slots


@pytest.fixture
def departure():
    watched = []
    departure = Departure(lambda: watched.append(1))
    departure.watched = watched
    token = DEPARTURE.set(departure)
    yield departure
    DEPARTURE.reset(token)


def wait_for(what):
    deadline = time.monotonic() + 10
    while not what() and time.monotonic() < deadline:
        time.sleep(0.005)
    assert what()


def test_what_goes_on_is_stopped_and_what_has_ended_is_not(departure):
    stopped = []
    with stopped_by_departure(lambda: stopped.append("before")):
        pass
    with stopped_by_departure(lambda: stopped.append("during")):
        assert departure.watched
        check_present()
        departure.left()
        wait_for(lambda: stopped)
    with pytest.raises(BadRequest), stopped_by_departure(lambda: stopped.append("after")):
        check_present()
    assert stopped == ["during", "after"]


def test_without_a_request_nothing_is_watched():
    with stopped_by_departure(lambda: pytest.fail("there is no client")):
        check_present()


def test_after_the_block_a_stop_that_was_begun_has_ended(departure):
    """Else it would stop what comes next: a query on the same cursor, a process with the same number."""
    begun, over = threading.Event(), []

    def stop():
        begun.set()
        time.sleep(0.05)
        over.append(1)

    with stopped_by_departure(stop):
        departure.left()
        begun.wait(10)
    assert over


def test_a_wait_for_a_slot_ends_and_the_slot_is_kept_by_nobody(departure):
    slots = Slots(1)
    slots.acquire("loud")
    threading.Timer(0.05, departure.left).start()
    begun = time.monotonic()
    with pytest.raises(BadRequest):
        slots.acquire("gone", 60.0)
    assert time.monotonic() - begun < 30
    DEPARTURE.set(None)
    with pytest.raises(TimeoutError):
        slots.acquire("quiet", 0.01)
    slots.release("loud")
    slots.acquire("quiet", 0.01)
    assert slots._holders == {"quiet": 1}
    assert (slots._left, len(slots._waiting)) == (set(), 0)
