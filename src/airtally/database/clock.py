"""The time of leases and of what writers say of themselves: the database's, the one clock that all machines share."""

from __future__ import annotations

from sqlalchemy import text

from airtally.database.store import MetadataStore
from airtally.kit.clock import Clock, SystemClock

_NOW = text("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")


class DatabaseClock:
    """PostgreSQL's clock. SQLite has the machine's, and is used on one machine alone."""

    def __init__(self, store: MetadataStore) -> None:
        self._store = store

    def now_us(self) -> int:
        """One small question. Raises Unavailable."""
        with self._store.read() as connection:
            return int(connection.execute(_NOW).scalar_one())


def shared_clock(store: MetadataStore, clock: Clock) -> Clock:
    """The database's clock in place of the machine's; a clock of a test stays."""
    if store.dialect == "postgresql" and isinstance(clock, SystemClock):
        return DatabaseClock(store)
    return clock
