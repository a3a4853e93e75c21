"""Ends what nobody has used for a while."""

from __future__ import annotations

import threading
from collections.abc import Callable


class IdleTimer:
    """Calls `end` on a thread of its own once `seconds` have passed since the last `start`.

    Not thread-safe: its owner starts and stops it under its own lock, and `end` takes that lock before it asks `is_due`.
    """

    def __init__(self, seconds: float, end: Callable[[], None]) -> None:
        self._seconds, self._end = seconds, end
        self._timer: threading.Timer | None = None

    def start(self) -> None:
        """Begin anew to wait."""
        self.stop()
        self._timer = threading.Timer(self._seconds, self._end)
        self._timer.daemon = True
        self._timer.start()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @property
    def is_due(self) -> bool:
        """Whether the calling thread is the timer's, and it was neither stopped nor started again meanwhile."""
        return threading.current_thread() is self._timer
