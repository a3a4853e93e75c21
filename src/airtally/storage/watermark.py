"""The watermark: by when the rows of other hosts' writers are in the lake. No answer claims to be complete beyond it."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from airtally.database.store import MetadataStore
from airtally.database.tables import writers
from airtally.kit.clock import Clock
from airtally.storage.buffer.store import SUFFIX

#: The metadata store is asked once in so long, however many answers are given meanwhile.
REFRESH_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Limit:
    """How far the rows of the `others` are in the lake: through `through_us`, None where there are no others.

    An answer that relies on it must read a table version no older than `since` (monotonic).
    """

    through_us: int | None
    since: float
    others: int = 0

    def cut(self, through_us: int) -> int:
        """The earlier of `through_us` and the limit."""
        return through_us if self.through_us is None else min(through_us, self.through_us)


_NOBODY = Limit(None, 0.0)


class Watermark:
    """The least of what the writers of other homes have moved into the lake.

    A writer counts from its first heartbeat until its buffer is drained or an operator gives it up, dead or alive. One
    that joins after the store was asked has only rows received later, so that moment is a bound too. On SQLite there
    is one home, whose buffers all its processes read. Thread-safe: the limit is immutable and replaced under a lock.
    """

    def __init__(self, store: MetadataStore, clock: Clock, buffers: Path) -> None:
        """`clock` is the one that all hosts share; `buffers` the folder of this home's buffers."""
        self._store = store
        self._clock = clock
        self._buffers = buffers
        self._lock = threading.Lock()
        self._limit: Limit | None = _NOBODY if store.dialect == "sqlite" else None
        self._shared = store.dialect != "sqlite"

    def now(self) -> Limit:
        """A limit at most a second old. Raises what the store raises where it cannot be asked."""
        limit = self._limit
        if limit is not None and (not self._shared or time.monotonic() < limit.since + REFRESH_SECONDS):
            return limit
        with self._lock:
            limit = self._limit
            if limit is None or time.monotonic() >= limit.since + REFRESH_SECONDS:
                self._limit = limit = self._ask_store()
            return limit

    def _ask_store(self) -> Limit:
        since, now = time.monotonic(), self._clock.now_us()
        with self._store.read() as connection:
            known = connection.execute(select(writers.c.buffer_id, writers.c.data_through)).all()
        away = [row.data_through for row in known if not (self._buffers / f"{row.buffer_id}{SUFFIX}").exists()]
        return Limit(min([now, *away]), since, len(away))


def alone() -> Limit:
    """The limit where no other host can have rows."""
    return _NOBODY
