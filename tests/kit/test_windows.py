from __future__ import annotations

from airtally.kit.clock import MovableClock
from airtally.kit.time import MINUTE_US
from airtally.kit.windows import FixedWindows


def test_each_key_is_counted_by_itself_and_anew_in_each_window() -> None:
    clock = MovableClock(5 * MINUTE_US + 20_000_000)
    windows = FixedWindows(clock, window_us=MINUTE_US, max_keys=10)
    assert [windows.count(1), windows.count(1), windows.count(2)] == [(1, 40_000_000), (2, 40_000_000), (1, 40_000_000)]
    clock.advance(40)
    assert windows.count(1) == (1, MINUTE_US)


def test_a_clock_that_is_set_back_begins_another_window() -> None:
    clock = MovableClock(5 * MINUTE_US + 20_000_000)
    windows = FixedWindows(clock, window_us=MINUTE_US, max_keys=10)
    windows.count(1)
    clock.advance(-60)
    assert windows.count(1) == (1, 40_000_000)


def test_of_too_many_keys_the_least_recently_used_begins_anew() -> None:
    windows = FixedWindows(MovableClock(0), window_us=MINUTE_US, max_keys=2)
    for key in (1, 2, 3):
        windows.count(key)
    assert [windows.count(key)[0] for key in (3, 1)] == [2, 1]
