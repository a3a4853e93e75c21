"""The clock that all machines share, the database's: for leases, and for what writers report of themselves."""

from __future__ import annotations

from sqlalchemy import text

from airtally.database.store import MetadataStore
from airtally.kit.clock import Clock, SystemClock

_NOW = text("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")


class DatabaseClock:
    """PostgreSQL's clock. A store on SQLite is used on one machine only, and needs none of its own."""

    def __init__(self, store: MetadataStore) -> None:
        self._store = store

    def now_us(self) -> int:
        """Costs one small query. Raises Unavailable."""
        with self._store.read() as connection:
            return int(connection.execute(_NOW).scalar_one())


def shared_clock(store: MetadataStore, clock: Clock) -> Clock:
    """The database's clock on PostgreSQL, else the given one; a test's clock is never replaced."""
    if store.dialect == "postgresql" and isinstance(clock, SystemClock):
        return DatabaseClock(store)
    return clock
