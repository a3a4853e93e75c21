"""Counts of what happened in fixed windows of time by the clock, in this process."""

from __future__ import annotations

from collections.abc import Hashable

from airtally.kit.cache import Cache
from airtally.kit.clock import Clock


class FixedWindows:
    """At most `max_keys` keys are counted; of more, the count of the least recently used begins anew. Thread-safe."""

    def __init__(self, clock: Clock, *, window_us: int, max_keys: int) -> None:
        self._clock = clock
        self._window_us = window_us
        self._counts: Cache[Hashable, tuple[int, int]] = Cache(max_keys)

    def count(self, key: Hashable) -> tuple[int, int]:
        """Count one more of a key; returns how many it has in this window, and the microseconds until the next."""
        window, into = divmod(self._clock.now_us(), self._window_us)
        with self._counts.locked() as counts:
            counted_in, before = counts.get(key, (window, 0))
            number = before + 1 if counted_in == window else 1
            counts[key] = (window, number)
        return number, self._window_us - into
