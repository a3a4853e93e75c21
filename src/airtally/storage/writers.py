"""The writers: which processes hold buffered rows, and how far the rows of each have reached the lake."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from airtally.database.store import MetadataStore, storable
from airtally.database.tables import writers
from airtally.kit.clock import Clock
from airtally.kit.errors import Conflict, Failure, NotFound, Unavailable
from airtally.kit.time import SECOND_US
from airtally.storage.buffer import Buffer
from airtally.storage.watermark import Watermark

#: A writer that has not been heard from for so long is taken for dead: its rows get into the lake when its buffer is
#: adopted.
LIVE_US = 30 * SECOND_US
WAIT_SECONDS = 300.0
#: Other hosts see a row once it is flushed, which is to be within 10 s.
SHARED_FLUSH_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class Writer:
    """A process with a buffer. Times in microseconds UTC; `data_through`: its rows received by then are in the lake."""

    id: str
    host: str
    seen_at: int
    data_through: int
    lives: bool


class Writers:
    """The row of this process in the table of writers, and the wait for the others.

    A job that reads only the lake calls `wait_until_visible`: each live writer then flushes, however young its rows
    are, and the call returns once all of them have. Thread-safe: what all threads use is set once, and `step` belongs
    to one thread, which alone uses `_seen_wanted` and `_flushed_at`.
    """

    def __init__(
        self,
        store: MetadataStore,
        clock: Clock,
        buffer: Buffer | None,
        flush: Callable[[], object],
        watermark: Watermark | None = None,
    ) -> None:
        """`clock` is the one that all hosts share; `buffer` is None in a process that accepts no rows."""
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
        """Remove this process's row, after the last flush."""
        if self._buffer_id is not None:
            self.forget(self._buffer_id)

    def forget(self, buffer_id: str) -> bool:
        """Remove the row of a writer whose rows are all in the lake, or are given up. False where there is none."""
        with self._store.begin() as connection:
            return bool(connection.execute(delete(writers).where(writers.c.buffer_id == buffer_id)).rowcount)

    def give_up(self, writer_id: str, note: Callable[[Connection], None] = lambda _: None) -> None:
        """Stop waiting for a writer whose machine is lost for good, with `note` in the transaction.

        The rows that only its buffer had are lost too. Raises Conflict for one that is alive, and NotFound.
        """
        mine = writers.c.buffer_id == storable(writer_id)
        with self._store.begin() as connection:
            alive = select(writers.c.buffer_id).where(mine, writers.c.seen_at >= self._clock.now_us() - LIVE_US)
            if connection.execute(alive).first() is not None:
                raise Conflict(
                    f"The writer {writer_id[:64]} is alive", hint="Stop it: it then moves its rows into the lake"
                )
            if not connection.execute(delete(writers).where(mine)).rowcount:
                raise NotFound(f"There is no writer {writer_id[:64]!r}", hint="`airtally lake writers` shows them")
            note(connection)

    def step(self) -> None:
        """Note that this writer lives, and flush if a job waits for its rows, or every 4 s where other hosts read them.

        To be called every few seconds, by one thread.
        """
        if self._buffer_id is None:
            return
        with self._store.read() as connection:
            wanted = connection.execute(
                select(writers.c.flush_wanted_at).where(writers.c.buffer_id == self._buffer_id)
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

        Raises Unavailable after 5 minutes, naming the hosts whose writers did not flush, and where this one cannot.
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
                raise Unavailable(
                    f"Rows received by the writer on {', '.join(behind)} have not reached the lake in time"
                )
            waited += 0.2

    def _flush_own(self) -> None:
        """Raises Unavailable where the flush failed: the job tries again later."""
        try:
            self._flush()
        except Failure:
            raise
        except Exception as error:
            raise Unavailable(f"Received rows cannot be moved into the lake ({type(error).__name__})") from error

    def _behind(self, moment_us: int) -> list[str]:
        query = select(writers.c.host).where(writers.c.data_through < moment_us, *self._others())
        with self._store.read() as connection:
            return list(connection.execute(query).scalars())

    def _want_flush(self, moment_us: int) -> None:
        with self._store.begin() as connection:
            connection.execute(
                update(writers).where(writers.c.data_through < moment_us).values(flush_wanted_at=self._clock.now_us())
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
        statement = dialect.insert(writers).values(row)
        with self._store.begin() as connection:
            connection.execute(statement.on_conflict_do_update(index_elements=["buffer_id"], set_=changed))

    def all(self) -> list[Writer]:
        """Every writer that is neither drained nor given up, the one furthest behind first."""
        query = select(writers).order_by(writers.c.data_through, writers.c.buffer_id)
        with self._store.read() as connection:
            rows = connection.execute(query).all()
        now = self._clock.now_us()
        return [
            Writer(row.buffer_id, row.host, row.seen_at, row.data_through, row.seen_at >= now - LIVE_US) for row in rows
        ]

    def alone(self) -> bool:
        """Whether no other live writer has rows that this process could miss."""
        others = select(writers.c.buffer_id).where(*self._others())
        with self._store.read() as connection:
            return connection.execute(others.limit(1)).first() is None

    def _others(self) -> tuple[ColumnElement[bool], ...]:
        """Conditions on live writers other than this one and those whose buffers it has adopted and flushes itself."""
        own = () if self._buffer is None else self._buffer.ids
        now = self._clock.now_us()
        is_live = writers.c.seen_at.between(now - LIVE_US, now + LIVE_US)  # later: the clock was set back since
        return is_live, writers.c.buffer_id.not_in(own)

    def live(self) -> int:
        """How many writers are live."""
        query = select(func.count()).select_from(writers).where(writers.c.seen_at >= self._clock.now_us() - LIVE_US)
        with self._store.read() as connection:
            return int(connection.execute(query).scalar_one())
