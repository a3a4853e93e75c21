"""What a process keeps in memory of answers and records: forgotten after each erasure, within seconds."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import func, select

from airtally.database.store import MetadataStore
from airtally.database.tables import erasures


class Forgetting:
    """The step of a background loop. What was kept of a stream before an erasure is in no answer after it anyway."""

    def __init__(self, store: MetadataStore, forget: Callable[[], None]) -> None:
        self._store = store
        self._forget = forget
        self._seen: int | None = None

    def step(self) -> None:
        """Forget where rows were erased since the last step."""
        with self._store.read() as connection:
            last = connection.execute(select(func.max(erasures.c.erased_at))).scalar_one() or 0
        if self._seen is not None and last != self._seen:
            self._forget()
        self._seen = last
