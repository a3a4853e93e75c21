"""The time limit of one question."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Self, TypeVar

from airtally.kit.errors import LimitExceeded

T = TypeVar("T")

#: How long an engine that was told to stop is waited for.
GRACE_SECONDS = 1.0


def too_slow(seconds: float) -> LimitExceeded:
    return LimitExceeded(
        f"The question took longer than {seconds:g} s (AIRTALLY_QUERY_SECONDS).",
        hint="Ask for a shorter interval or fewer rows, or raise AIRTALLY_QUERY_SECONDS.",
    )


class TimeLimit:
    """While entered, calls `stop` once `seconds` have passed; None is without limit."""

    def __init__(self, seconds: float | None, stop: Callable[[], object]) -> None:
        self.over = False
        self._seconds, self._stop = seconds, stop
        self._timer: threading.Timer | None = None

    def __enter__(self) -> Self:
        if self._seconds is not None:
            self._timer = threading.Timer(self._seconds, self._end)
            self._timer.daemon = True
            self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _end(self) -> None:
        self.over = True
        self._stop()

    @property
    def failure(self) -> LimitExceeded:
        return too_slow(self._seconds or 0)


def finished_in(seconds: float | None, work: Callable[[], T]) -> T:
    """What `work` gives, awaited no longer than the limit and a grace. Raises LimitExceeded."""
    if seconds is None:
        return work()
    future: Future[T] = Future()
    threading.Thread(target=_fulfil, args=(future, work), daemon=True).start()
    try:
        return future.result(seconds + GRACE_SECONDS)
    except TimeoutError:
        if future.done():
            raise
        raise too_slow(seconds) from None


def _fulfil(future: Future[T], work: Callable[[], T]) -> None:
    try:
        future.set_result(work())
    except BaseException as error:  # noqa: BLE001 (raised again where it is awaited)
        future.set_exception(error)
