"""Each writer's part in an erasure: it moves its rows into the lake, leaves nothing of them behind, and says so."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from airtally.database.store import MetadataStore
from airtally.database.tables import erasure_acks, erasures, writers
from airtally.erasure.records import Erasure, ErasureState
from airtally.kit.clock import Clock
from airtally.storage.buffer import Buffer
from airtally.storage.buffer.store import SUFFIX


@dataclass(frozen=True, slots=True)
class WritersBehind:
    """The hosts of writers that have not answered, and the latest moment of those that have (their own clocks)."""

    hosts: tuple[str, ...]
    through_us: int | None


class Acknowledgements:
    """Answers the erasures that wait for writers; without a buffer it only reads. Thread-safe: an answer given twice is one.

    A writer of another machine answers for itself; the buffer of one that died is adopted by the next process there,
    which answers for it. A writer that an operator has given up is not waited for, nor, where there is one home alone
    (SQLite), one without a file in `folder`, that of the home's buffers.
    """

    def __init__(
        self, store: MetadataStore, clock: Clock, buffer: Buffer | None, flush: Callable[[], object], folder: Path
    ) -> None:
        self._store = store
        self._folder = folder
        self._clock = clock
        self._buffer = buffer
        self._flush = flush

    def step(self) -> None:
        """Answer what waits for this process. To be called every few seconds."""
        buffer = self._buffer
        if buffer is None:
            return
        held = buffer.ids
        waiting = self._unanswered(held)
        if not waiting:
            return
        through = buffer.through_us()
        self._flush()
        buffer.scrub()
        host = socket.gethostname()
        rows = [
            {"erasure_id": each, "buffer_id": buffer_id, "host": host, "through": through}
            for each in waiting
            for buffer_id in held
        ]
        with self._store.begin() as connection:
            connection.execute(self._store.upserts.insert(erasure_acks).values(rows).on_conflict_do_nothing())

    def behind(self, erasure: Erasure) -> WritersBehind:
        """Who has not answered for an erasure."""
        answered = select(erasure_acks.c.buffer_id).where(erasure_acks.c.erasure_id == erasure.id)
        missing = select(writers.c.buffer_id, writers.c.host).where(writers.c.buffer_id.not_in(answered))
        moments = select(erasure_acks.c.through).where(erasure_acks.c.erasure_id == erasure.id)
        with self._store.read() as connection:
            rows = connection.execute(missing.order_by(writers.c.host)).all()
            through = max(connection.execute(moments).scalars(), default=None)
        return WritersBehind(tuple(row.host for row in rows if self._may_hold_rows(row.buffer_id)), through)

    def _may_hold_rows(self, buffer_id: str) -> bool:
        return self._store.dialect != "sqlite" or (self._folder / f"{buffer_id}{SUFFIX}").exists()

    def now_us(self) -> int:
        """The moment where no writer answers, by the clock of this process."""
        return self._clock.now_us()

    def _unanswered(self, buffer_ids: tuple[str, ...]) -> list[int]:
        """The erasures that wait for any of these buffers: one may have been adopted since this process answered."""
        mine = erasure_acks.c.erasure_id == erasures.c.id, erasure_acks.c.buffer_id.in_(buffer_ids)
        answers = select(func.count()).where(*mine).scalar_subquery()
        query = select(erasures.c.id).where(erasures.c.state == ErasureState.WAITING, answers < len(buffer_ids))
        with self._store.read() as connection:
            return list(connection.execute(query.order_by(erasures.c.id)).scalars())
