"""How long is waited, and when it is given up."""

from __future__ import annotations

import pytest

from airtally.client.errors import ConnectionFailed, GarbledAnswer, InvalidRequest, ServerBusy
from airtally.client.retry import RequestTries, RetryRules

POLICY = RetryRules(patience=100, attempts=3, first=1, most=10)


class Clock:
    def __init__(self):
        self.seconds = 50.0

    def __call__(self):
        return self.seconds


def waits(error, tries, count, clock=None):
    found = []
    for _ in range(count):
        found.append(tries.wait_after(error))
        if clock is not None and found[-1] is not None:
            clock.seconds += found[-1]
    return found


@pytest.mark.parametrize(("chance", "share"), [(0.0, 1.0), (0.5, 0.75), (0.999999, 0.5)])
def test_waits_double_up_to_the_longest_and_are_shortened_by_chance(chance, share):
    found = waits(ConnectionFailed(), RequestTries(POLICY, 100, Clock(), lambda: chance), 6)
    assert found == pytest.approx([share * each for each in (1, 2, 4, 8, 10, 10)], rel=1e-5)


def test_patience_ends():
    clock = Clock()
    found = waits(ConnectionFailed(), RequestTries(POLICY, 12, clock, lambda: 0.0), 6, clock)
    assert found == [1, 2, 4, 5, None, None], "the last try is at the end of the patience"


def test_what_should_not_be_is_tried_a_few_times():
    assert waits(GarbledAnswer(), RequestTries(POLICY, 100, Clock(), lambda: 0.0), 3) == [1, 2, None]
    tries = RequestTries(POLICY, 1000, Clock(), lambda: 0.0)
    assert None not in waits(ConnectionFailed(), tries, 10), "these are not counted among them"
    assert [each is None for each in waits(GarbledAnswer(), tries, 3)] == [False, False, True]
    assert waits(InvalidRequest(400, "bad_request", "no"), RequestTries(POLICY, 100, Clock()), 1) == [None]


def test_the_server_is_waited_for_as_long_as_it_asks():
    tries = RequestTries(POLICY, 100, Clock(), lambda: 0.5)
    assert tries.wait_after(ServerBusy(429, "too_many_requests", "", retry_after=30)) == pytest.approx(31.5)
    assert tries.wait_after(ServerBusy(429, "too_many_requests", "", retry_after=0)) == pytest.approx(1.5)
    assert tries.wait_after(ServerBusy(429, "too_many_requests", "", retry_after=101)) is None


@pytest.mark.parametrize("wrong", [{"attempts": 0}, {"patience": -1}, {"first": 0}, {"first": 2, "most": 1}])
def test_policies_that_cannot_be(wrong):
    with pytest.raises(ValueError, match="attempts must be"):
        RetryRules(**wrong)
