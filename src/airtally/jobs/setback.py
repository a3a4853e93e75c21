"""Notices that the clock has gone back, as when a machine's time is corrected."""

from __future__ import annotations

import threading

from airtally.kit.time import SECOND_US


class Setback:
    """Of one clock, as often as it is looked at. Thread-safe.

    The first look counts as a setback too: nobody knows what the clock did before the start.
    """

    def __init__(self, *, more_than_us: int = SECOND_US) -> None:
        self._more_than_us = more_than_us
        self._lock = threading.Lock()
        self._latest: int | None = None

    def happened(self, now: int) -> bool:
        """Whether the clock that now reads `now` went back by more than a second since the last look."""
        with self._lock:
            back = self._latest is None or now < self._latest - self._more_than_us
            self._latest = now if back or self._latest is None else max(now, self._latest)
        return back
