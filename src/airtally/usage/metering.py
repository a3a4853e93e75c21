"""Counts what is sent out and what comes in, and adds it to the stored usage every few seconds."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, select

from airtally.database.store import MetadataStore
from airtally.database.tables import usage, usage_positions, writers
from airtally.kit.clock import Clock
from airtally.kit.faults import NO_FAULTS, Faults
from airtally.kit.time import DAY_US
from airtally.storage.buffer import Buffer
from airtally.storage.buffer.intake import IntakeCount
from airtally.usage.figures import UsageFigures, UsagePlace, add_usage, ids_of

#: A buffer's file that is gone for so long does not come back with counts that were added already.
_POSITION_DAYS = 30


@dataclass(frozen=True, slots=True)
class _SlugPlace:
    slug: str
    day: int
    kind: str


class Metering:
    """Requests are counted in memory, so the last seconds of them are lost with a process that is killed.

    What came in is not: a buffer has it on disk with the rows, numbered, and the store knows the number up to which it
    was added. `buffer` is None in a process that takes no rows. Thread-safe: a lock guards the counts in memory,
    another lets one thread at a time write.
    """

    def __init__(
        self, store: MetadataStore, clock: Clock, buffer: Buffer | None, *, days: int, faults: Faults = NO_FAULTS
    ) -> None:
        self._store = store
        self._clock = clock
        self._buffer = buffer
        self._days = days
        self._faults = faults
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._sent: dict[_SlugPlace, UsageFigures] = {}

    def note_request(self, slug: str, kind: str, rows_out: int, bytes_out: int) -> None:
        """Count a request that was answered."""
        self._note(_SlugPlace(slug, self._today(), kind), UsageFigures(0, 0, 0, 1, rows_out, bytes_out))

    def step(self) -> float | None:
        """Add what was counted to the stored usage; returns 0 where there is more."""
        with self._writing:
            brought = {} if self._buffer is None else self._buffer.intakes()
            with self._lock:
                sent, self._sent = self._sent, {}
            if not (brought or sent):
                return None
            try:
                self._add(brought, sent)
            except BaseException:
                for place, figures in sent.items():
                    self._note(place, figures)
                raise
            self._faults.reach("usage.forget")
            if self._buffer is not None and brought:
                self._buffer.forget_intakes({name: counts[-1].id for name, counts in brought.items()})
        return 0.0 if brought else None

    def expire(self) -> None:
        """Delete days older than the setting says, and positions of buffers that are gone."""
        now = self._clock.now_us()
        old = usage.c.day < now // DAY_US - self._days
        gone = usage_positions.c.noted_at < now - _POSITION_DAYS * DAY_US
        lives = usage_positions.c.buffer_id.in_(select(writers.c.buffer_id))
        with self._store.begin() as connection:
            connection.execute(delete(usage).where(old))
            connection.execute(delete(usage_positions).where(gone, ~lives))

    def _note(self, place: _SlugPlace, figures: UsageFigures) -> None:
        with self._lock:
            before = self._sent.get(place)
            self._sent[place] = figures if before is None else before + figures

    def _today(self) -> int:
        return self._clock.now_us() // DAY_US

    def _add(self, brought: Mapping[str, Sequence[IntakeCount]], sent: Mapping[_SlugPlace, UsageFigures]) -> None:
        """One transaction adds the counts and says of each buffer how far they are added."""
        with self._store.begin() as connection:
            sums = dict(sent)
            for each in self._new_counts(connection, brought):
                place = _SlugPlace(each.account, each.day, each.kind)
                came = UsageFigures(each.rows, each.refused, each.size)
                sums[place] = sums[place] + came if place in sums else came
            ids = ids_of(connection, {place.slug for place in sums})
            known = {UsagePlace(ids[at.slug], at.day, at.kind): each for at, each in sums.items() if at.slug in ids}
            add_usage(self._store, connection, known)

    def _new_counts(self, connection: Connection, brought: Mapping[str, Sequence[IntakeCount]]) -> list[IntakeCount]:
        """Those that are not added yet; notes that they are."""
        if not brought:
            return []
        query = select(usage_positions.c.buffer_id, usage_positions.c.through)
        query = query.where(usage_positions.c.buffer_id.in_(brought)).with_for_update()
        added = {row.buffer_id: row.through for row in connection.execute(query)}
        now = self._clock.now_us()
        rows = [
            {"buffer_id": name, "through": max(counts[-1].id, added.get(name, 0)), "noted_at": now}
            for name, counts in sorted(brought.items())
        ]
        noted = self._store.upserts.insert(usage_positions).values(rows)
        values = {"through": noted.excluded.through, "noted_at": noted.excluded.noted_at}
        connection.execute(noted.on_conflict_do_update(index_elements=["buffer_id"], set_=values))
        return [each for name, counts in brought.items() for each in counts if each.id > added.get(name, 0)]
