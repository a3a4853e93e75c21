"""Background work: a step repeated on a thread of its own until stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog

from airtally.kit import metrics

_log = structlog.get_logger()


class Loop:
    """Calls `step` every `seconds`, at once after `wake`, and goes on after an error, with growing waits.

    `step` may return the seconds until it wants to be called again.
    """

    def __init__(self, name: str, step: Callable[[], float | None], seconds: float, *, longest: float = 60.0) -> None:
        self.name = name
        self._step = step
        self._seconds = seconds
        self._longest = longest
        self._woken = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"airtally-{name}", daemon=True)
        self.failures = 0

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        self._woken.set()

    def stop(self, timeout: float = 30.0) -> None:
        """Let the step under way end, and no other begin."""
        self._stopped.set()
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._woken.clear()
            wait = self._one_step()
            if not self._stopped.is_set():
                self._woken.wait(wait)

    def _one_step(self) -> float:
        try:
            wanted = self._step()
        except Exception as error:  # noqa: BLE001 (whatever it is, the work goes on)
            self.failures += 1
            metrics.LOOP_FAILURES.labels(self.name).inc()
            _log.exception("background step failed", loop=self.name, failures=self.failures, error=str(error))
            return min(max(self._seconds, 0.5) * float(1 << min(self.failures, 6)), self._longest)
        self.failures = 0
        metrics.LOOP_SECONDS.labels(self.name).set(time.time())
        return self._seconds if wanted is None else wanted
