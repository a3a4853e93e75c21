"""Time limits of queries."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from typing import Self, TypeVar

from airtally.kit.errors import LimitExceeded, TooLargeAtOnce

T = TypeVar("T")

#: How long to wait for an engine that was told to stop.
GRACE_SECONDS = 1.0


def too_slow(seconds: float) -> LimitExceeded:
    return TooLargeAtOnce(
        f"The query took longer than {seconds:g} s (AIRTALLY_QUERY_SECONDS).",
        hint="Ask for a shorter interval or fewer rows, or raise AIRTALLY_QUERY_SECONDS.",
    )


class TimeLimit:
    """A context that calls `stop`, on another thread, once `seconds` have passed; None for no limit."""

    def __init__(self, seconds: float | None, stop: Callable[[], object]) -> None:
        self.over = False
        self._seconds, self._stop = seconds, stop
        self._due: _Due | None = None

    def __enter__(self) -> Self:
        if self._seconds is not None:
            self._due = _WATCH.call_in(self._seconds, self._end)
        return self

    def __exit__(self, *_: object) -> None:
        if self._due is not None:
            self._due.done()

    def _end(self) -> None:
        self.over = True
        self._stop()

    @property
    def failure(self) -> LimitExceeded:
        return too_slow(self._seconds or 0)


@dataclass(order=True, slots=True)
class _Due:
    at: float
    number: int
    call: Callable[[], object] | None = field(compare=False)
    lock: threading.Lock = field(default_factory=threading.Lock, compare=False)

    def done(self) -> None:
        """Cancel the call, or wait for it if it has begun: there is none afterwards."""
        with self.lock:
            self.call = None

    def run(self) -> None:
        with self.lock:
            if self.call is not None:
                self.call()


class _Watch:
    """One thread that waits for the time limits of all queries: a thread each would cost more than most answers.

    Thread-safe by one condition.
    """

    def __init__(self) -> None:
        self._waiting: list[_Due] = []
        self._numbers = count()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def call_in(self, seconds: float, call: Callable[[], object]) -> _Due:
        with self._changed:
            due = _Due(time.monotonic() + seconds, next(self._numbers), call)
            heappush(self._waiting, due)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="airtally-limits", daemon=True)
                self._thread.start()
            elif self._waiting[0] is due:
                self._changed.notify()
        return due

    def _run(self) -> None:
        while True:  # on another thread, as stopping an engine may take long or fail
            threading.Thread(target=self._next().run, name="airtally-limit", daemon=True).start()

    def _next(self) -> _Due:
        with self._changed:
            while True:
                while self._waiting and self._waiting[0].call is None:
                    heappop(self._waiting)
                left = self._waiting[0].at - time.monotonic() if self._waiting else None
                if left is not None and left <= 0:
                    return heappop(self._waiting)
                self._changed.wait(left)


_WATCH = _Watch()


def finished_in(seconds: float | None, work: Callable[[], T]) -> T:
    """The result of `work`, run on another thread. Raises LimitExceeded once the limit and a grace period are over."""
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
