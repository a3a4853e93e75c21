from __future__ import annotations

from airtally.jobs.setback import Setback
from airtally.kit.time import SECOND_US


def test_a_clock_that_goes_back_by_more_than_a_second_is_noticed_once() -> None:
    setback, now = Setback(), 1_000 * SECOND_US
    assert setback.happened(now), "nobody knows what the clock did before the first look"
    assert not setback.happened(now)
    assert not setback.happened(now + SECOND_US)
    assert not setback.happened(now), "a second back is within what clocks differ by"
    assert setback.happened(now - 1)
    assert not setback.happened(now - 1)
    assert not setback.happened(now + 3600 * SECOND_US)
    assert setback.happened(now)


def test_small_steps_back_add_up() -> None:
    setback, now = Setback(), 1_000 * SECOND_US
    setback.happened(now)
    found = [setback.happened(now - step * SECOND_US // 2) for step in range(1, 5)]
    assert found == [False, False, True, False]
