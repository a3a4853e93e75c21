"""Background loops: a step repeated on its own thread until stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

import structlog

from airtally.kit import metrics

_log = structlog.get_logger()
T = TypeVar("T")


class Loop:
    """Calls `step` every `seconds`, and at once after `wake`. After errors it waits longer, up to `longest`.

    `step` may return the seconds until its next call. `wake` and `stop` may be called from any thread.
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
        """Start no further step, and wait at most `timeout` seconds for the current one."""
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
        except Exception as error:  # noqa: BLE001 (the loop survives any error of its step)
            self.failures += 1
            metrics.LOOP_FAILURES.labels(self.name).inc()
            _log.exception("background step failed", loop=self.name, failures=self.failures, error=str(error))
            return min(max(self._seconds, 0.5) * float(1 << min(self.failures, 6)), self._longest)
        self.failures = 0
        metrics.LOOP_SECONDS.labels(self.name).set(time.time())
        return self._seconds if wanted is None else wanted


def wake_all(wakes: Iterable[Callable[[], None]]) -> None:
    """Tell the loops of this process that there may be something to do."""
    for wake in wakes:
        wake()


def for_each(things: Iterable[T], do: Callable[[T], object], what: str) -> None:
    """Do it for each, so that one thing's trouble is not another's. Raises the first error after all were tried."""
    first: Exception | None = None
    for each in things:
        try:
            do(each)
        except Exception as error:  # noqa: BLE001 (the others are still done)
            _log.exception("a step failed for one of several", what=what, id=getattr(each, "id", each))
            first = first or error
    if first is not None:
        raise first
