"""Ends the work for a client that has closed its connection: nobody would read the answer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from airtally.kit.errors import BadRequest


class _Stop:
    """A call that is made at most once, and not after `done` has returned."""

    def __init__(self, call: Callable[[], object]) -> None:
        self._call: Callable[[], object] | None = call
        self._lock = threading.Lock()

    def run(self) -> None:
        with self._lock:
            call, self._call = self._call, None
            if call is not None:
                call()

    def done(self) -> None:
        with self._lock:
            self._call = None


class Departure:
    """Whether the client of one request has left, and what is to be stopped then. Thread-safe by one lock.

    `watch` begins to watch the connection; it is called when there is something to stop, on that thread.
    """

    def __init__(self, watch: Callable[[], object] = lambda: None) -> None:
        self._watch = watch
        self._lock = threading.Lock()
        self._stops: list[_Stop] = []
        self._gone = False

    @property
    def gone(self) -> bool:
        return self._gone

    def left(self) -> None:
        """Stop what goes on, on another thread, as a stop may have to wait for a lock."""
        with self._lock:
            self._gone = True
            stops = self._stops.copy()
        for stop in stops:
            threading.Thread(target=stop.run, name="airtally-departure", daemon=True).start()

    @contextmanager
    def stops(self, stop: Callable[[], object]) -> Iterator[None]:
        """Within the block `stop` is called once the client leaves; at once if it has."""
        own = _Stop(stop)
        with self._lock:
            self._stops.append(own)
            gone = self._gone
        if gone:
            own.run()
        else:
            self._watch()
        try:
            yield
        finally:
            with self._lock:
                self._stops.remove(own)
            own.done()


#: That of the request that this context works for; None elsewhere.
DEPARTURE: ContextVar[Departure | None] = ContextVar("departure", default=None)


@contextmanager
def stopped_by_departure(stop: Callable[[], object]) -> Iterator[None]:
    """`stop` is called, on another thread, if the client of this context's request leaves within the block."""
    departure = DEPARTURE.get()
    if departure is None:
        yield
        return
    with departure.stops(stop):
        yield


def check_present() -> None:
    """Raises BadRequest if the client of this context's request has left."""
    departure = DEPARTURE.get()
    if departure is not None and departure.gone:
        raise BadRequest("The connection was closed before the answer")
