"""Flushes the buffer into the lake by age, number and size of rows, and adopts the buffers of dead processes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from airtally.kit.clock import Clock
from airtally.kit.time import SECOND_US
from airtally.kit.troubles import Troubles
from airtally.storage.buffer import Buffer, TailPart
from airtally.storage.buffer.batches import Lane
from airtally.storage.store import Due, EventStore
from airtally.streams.declaration import Stream

_FLUSH_BYTES = 64 << 20
_LATE_ROWS = 100_000
_LATE_BYTES = 16 << 20
_STEP_SECONDS = 1.0

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class FlushPolicy:
    """When rows are flushed: at an age, a number or a size in bytes. Late rows have limits of their own."""

    seconds: float = 30.0
    rows: int = 1_000_000
    size: int = _FLUSH_BYTES
    late_seconds: float = 600.0
    late_rows: int = _LATE_ROWS
    late_size: int = _LATE_BYTES

    def due(self, part: TailPart, now_us: int) -> bool:
        age = (now_us - part.chunks[0].received_at_us) / SECOND_US
        if age < 0:  # the clock was set back: nobody knows how old they are
            return True
        if part.lane == Lane.LATE:
            return age >= self.late_seconds or part.rows >= self.late_rows or part.size >= self.late_size
        return age >= self.seconds or part.rows >= self.rows or part.size >= self.size


class Flusher:
    """The step of a background loop. After an error the rows are still there, and the next step starts over.

    `adopted` is told the id of each buffer taken over from a dead process.
    """

    def __init__(
        self,
        event_store: EventStore,
        buffer: Buffer,
        *,
        clock: Clock,
        policy: FlushPolicy | None = None,
        adopted: Callable[[str], None] | None = None,
        troubles: Troubles | None = None,
    ) -> None:
        self._troubles = Troubles() if troubles is None else troubles
        self._event_store = event_store
        self._buffer = buffer
        self._clock = clock
        self._policy = policy or FlushPolicy()
        self._adopted = adopted or (lambda _: None)

    def step(self) -> float:
        """Flush what is due; returns the seconds to wait."""
        for buffer_id in self._buffer.adopt_orphans():
            self._adopted(buffer_id)
        now = self._clock.now_us()
        orphans = set(self._buffer.adopted)

        def due(_: Stream, part: TailPart) -> bool:
            return part.buffer_id in orphans or self._policy.due(part, now)

        flushed = [self._flush(stream, due) for stream in self._buffer.streams()]
        if any(flushed) or orphans:
            self._buffer.tidy()
        return _STEP_SECONDS

    def _flush(self, stream: Stream, due: Due) -> int:
        """Flush one stream. One that fails is put off, its rows stay in the buffer, and the other streams go on."""
        key = "flush", stream.name
        if self._troubles.waits(key):
            return 0
        try:
            count = self._event_store.flush(stream, force=False, due=due)
        except Exception as error:  # noqa: BLE001 (logged and counted by the store)
            self._troubles.failed(key, f"flush of {stream.name}", error)
            return 0
        self._troubles.well(key)
        return count

    def flush_all(self) -> int:
        """Flush everything, however young: at a stop, or because a job waits for it."""
        count = self._event_store.flush()
        self._buffer.tidy()
        return count
