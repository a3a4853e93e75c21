"""Through when the rows of other machines' writers are in the lake: no answer claims to be complete beyond it."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from airtally.database.store import MetadataStore
from airtally.database.tables import nodes
from airtally.kit.clock import Clock
from airtally.storage.buffer.store import SUFFIX

#: One small question of the metadata store in so long, however many answers are given meanwhile.
REFRESH_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Limit:
    """`through_us`: None where there is nobody else. `since`: what is read of the lake must not be older (monotonic)."""

    through_us: int | None
    since: float
    others: int = 0

    def cut(self, through_us: int) -> int:
        return through_us if self.through_us is None else min(through_us, self.through_us)


_NOBODY = Limit(None, 0.0)


class Watermark:
    """The least of what every writer of another home has moved into the lake. Thread-safe (one lock).

    A writer counts from its first heartbeat until its buffer is drained or an operator gives it up, dead or alive. One
    that joins after a look has rows received after that look alone: so the moment of the look is a bound, too. On
    SQLite there is one home, whose buffers all its processes read.
    """

    def __init__(self, store: MetadataStore, clock: Clock, buffers: Path) -> None:
        """`clock` is the one that all machines share; `buffers` the folder of this home's buffers."""
        self._store = store
        self._clock = clock
        self._buffers = buffers
        self._lock = threading.Lock()
        self._limit: Limit | None = _NOBODY if store.dialect == "sqlite" else None
        self._shared = store.dialect != "sqlite"

    def now(self) -> Limit:
        """At most a second old. Raises Unavailable where the store never answered; a later failure leaves it as it was."""
        limit = self._limit
        if limit is not None and (not self._shared or time.monotonic() < limit.since + REFRESH_SECONDS):
            return limit
        with self._lock:
            limit = self._limit
            if limit is None or time.monotonic() >= limit.since + REFRESH_SECONDS:
                self._limit = limit = self._look()
            return limit

    def _look(self) -> Limit:
        since, now = time.monotonic(), self._clock.now_us()
        with self._store.read() as connection:
            known = connection.execute(select(nodes.c.buffer_id, nodes.c.data_through)).all()
        away = [row.data_through for row in known if not (self._buffers / f"{row.buffer_id}{SUFFIX}").exists()]
        return Limit(min([now, *away]), since, len(away))


def alone() -> Limit:
    """Where no other machine can have rows."""
    return _NOBODY
