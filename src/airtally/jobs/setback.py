"""Detects that the clock has gone back, as when a machine's time is corrected."""

from __future__ import annotations

import threading

from airtally.kit.time import SECOND_US


class Setback:
    """Detects setbacks of one clock between calls. Thread-safe, by a lock.

    The first call reports a setback too: the clock may have gone back before the process started.
    """

    def __init__(self, *, more_than_us: int = SECOND_US) -> None:
        self._more_than_us = more_than_us
        self._lock = threading.Lock()
        self._latest: int | None = None

    def happened(self, now: int) -> bool:
        """Whether the clock, which now reads `now`, went back by more than a second since the last call."""
        with self._lock:
            back = self._latest is None or now < self._latest - self._more_than_us
            self._latest = now if back or self._latest is None else max(now, self._latest)
        return back
