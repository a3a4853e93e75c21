"""Which processes hold buffered rows, and how far the rows of each have reached the lake."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from airtally.database.store import MetadataStore
from airtally.database.tables import nodes
from airtally.kit.clock import Clock
from airtally.kit.errors import Failure, Unavailable
from airtally.kit.time import SECOND_US
from airtally.storage.buffer import Buffer
from airtally.storage.watermark import Watermark

#: A node not heard of for so long is taken for dead: its rows are in the lake once its buffer is adopted.
LIVE_US = 30 * SECOND_US
WAIT_SECONDS = 300.0
#: On several machines the others see a row within 10 s.
SHARED_FLUSH_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class Writer:
    """A process with a buffer. Times in microseconds UTC; `data_through`: its rows received by then are in the lake."""

    id: str
    host: str
    seen_at: int
    data_through: int
    lives: bool


class Nodes:
    """The row of this process among the nodes, and the wait for all of them.

    A job that reads only the lake calls `wait_until_visible`: every live node then flushes, however young its
    rows are, and the call returns once all of them have.
    """

    def __init__(
        self,
        store: MetadataStore,
        clock: Clock,
        buffer: Buffer | None,
        flush: Callable[[], object],
        watermark: Watermark | None = None,
    ) -> None:
        """`clock` is the one that all machines share."""
        self._store = store
        self._clock = clock
        self._buffer = buffer
        self._buffer_id = None if buffer is None else buffer.id
        self._flush = flush
        self._watermark = watermark
        self._seen_wanted = 0
        self._flushed_at = float("-inf")
        if buffer is not None:
            buffer.on_drained = self.forget

    def join(self) -> None:
        """Make this process known before it accepts rows."""
        if self._buffer_id is not None:
            self._beat(self._clock.now_us())

    def leave(self) -> None:
        """Called after the last flush."""
        if self._buffer_id is not None:
            self.forget(self._buffer_id)

    def forget(self, buffer_id: str) -> bool:
        """A writer's rows are all in the lake, or are waited for no longer. False where nobody knows it."""
        with self._store.begin() as connection:
            return bool(connection.execute(delete(nodes).where(nodes.c.buffer_id == buffer_id)).rowcount)

    def step(self) -> None:
        """Flush if a job waits for it, and every few seconds where other machines answer for these rows too.

        Says that this node lives. To be called every few seconds.
        """
        if self._buffer_id is None:
            return
        with self._store.read() as connection:
            wanted = connection.execute(
                select(nodes.c.flush_wanted_at).where(nodes.c.buffer_id == self._buffer_id)
            ).scalar_one_or_none()
        shared = self._watermark is not None and self._watermark.now().others > 0
        waited = shared and time.monotonic() >= self._flushed_at + SHARED_FLUSH_SECONDS
        if wanted is not None and wanted == self._seen_wanted and not waited:  # a wish may have the earlier's time
            self._beat(None)
            return
        through = self._clock.now_us()
        self._flush()
        self._flushed_at = time.monotonic()
        self._seen_wanted = wanted or 0
        self._beat(through)

    def wait_until_visible(self, moment_us: int, stop: threading.Event | None = None) -> None:
        """Return once all rows received by `moment_us` are in the lake.

        Raises Unavailable after 5 minutes, naming the nodes that did not answer, and where this one cannot flush.
        """
        own_through = self._clock.now_us()
        moment_us = min(moment_us, own_through)
        self._flush_own()
        if self._buffer_id is not None:
            self._beat(own_through)
        stop = stop or threading.Event()
        waited = 0.0
        self._want_flush(moment_us)
        while behind := self._behind(moment_us):
            if waited >= WAIT_SECONDS or stop.wait(0.2):
                raise Unavailable(f"Rows received by machine {', '.join(behind)} have not reached the lake in time")
            waited += 0.2

    def _flush_own(self) -> None:
        """A flush that failed is tried again: nothing for the job to end for."""
        try:
            self._flush()
        except Failure:
            raise
        except Exception as error:
            raise Unavailable(f"Received rows cannot be moved into the lake ({type(error).__name__})") from error

    def _behind(self, moment_us: int) -> list[str]:
        query = select(nodes.c.host).where(nodes.c.data_through < moment_us, *self._others())
        with self._store.read() as connection:
            return list(connection.execute(query).scalars())

    def _want_flush(self, moment_us: int) -> None:
        with self._store.begin() as connection:
            connection.execute(
                update(nodes).where(nodes.c.data_through < moment_us).values(flush_wanted_at=self._clock.now_us())
            )

    def _beat(self, through_us: int | None) -> None:
        dialect = postgresql if self._store.dialect == "postgresql" else sqlite
        now = self._clock.now_us()
        row = {
            "buffer_id": self._buffer_id,
            "host": socket.gethostname(),
            "seen_at": now,
            "data_through": through_us or 0,
            "flush_wanted_at": 0,
        }
        changed = {"seen_at": now} | ({} if through_us is None else {"data_through": through_us})
        statement = dialect.insert(nodes).values(row)
        with self._store.begin() as connection:
            connection.execute(statement.on_conflict_do_update(index_elements=["buffer_id"], set_=changed))

    def all(self) -> list[Writer]:
        """Every writer that is neither drained nor given up, the one that is furthest behind first."""
        query = select(nodes).order_by(nodes.c.data_through, nodes.c.buffer_id)
        with self._store.read() as connection:
            rows = connection.execute(query).all()
        now = self._clock.now_us()
        return [
            Writer(row.buffer_id, row.host, row.seen_at, row.data_through, row.seen_at >= now - LIVE_US) for row in rows
        ]

    def alone(self) -> bool:
        """Whether no other process is heard of whose rows this one could miss."""
        others = select(nodes.c.buffer_id).where(*self._others())
        with self._store.read() as connection:
            return connection.execute(others.limit(1)).first() is None

    def _others(self) -> tuple[ColumnElement[bool], ...]:
        """Writers that are heard of, but for this one and those whose buffers it has adopted: these it flushes itself."""
        own = () if self._buffer is None else self._buffer.ids
        now = self._clock.now_us()
        heard_of = nodes.c.seen_at.between(now - LIVE_US, now + LIVE_US)  # later: the clock was set back since
        return heard_of, nodes.c.buffer_id.not_in(own)

    def live(self) -> int:
        """How many nodes are heard of."""
        query = select(func.count()).select_from(nodes).where(nodes.c.seen_at >= self._clock.now_us() - LIVE_US)
        with self._store.read() as connection:
            return int(connection.execute(query).scalar_one())
