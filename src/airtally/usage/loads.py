"""Counts rows that go directly into the lake, once each, however often a load is cut off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, select

from airtally.accounts.accounts import Account
from airtally.database.store import MetadataStore
from airtally.database.tables import usage_loads
from airtally.kit.clock import Clock
from airtally.kit.faults import NO_FAULTS, Faults
from airtally.kit.time import DAY_US
from airtally.streams import STREAMS
from airtally.streams.declaration import Stream
from airtally.usage.figures import FILES, UsageFigures, UsagePlace, add_usage

#: A load is long since over, whether it came to its commit or not.
_OVER_US = DAY_US
_AT_ONCE = 100

#: The version of the last rows of an application in a stream's table; None for none.
Committed = Callable[[Stream, str], int | None]


@dataclass(frozen=True, slots=True)
class CountedLoad:
    """Rows of one commit to come: `app_id` and `version` as the lake will know them, and the version `after` it is."""

    stream: Stream
    account: Account
    app_id: str
    version: int
    after: int | None


class LoadLedger:
    """Notes the figures of a commit before it, and adds them to the usage after it; the lake decides what was cut off.

    Thread-safe: every call is a transaction, and of several that add one note, one finds it.
    """

    def __init__(self, store: MetadataStore, clock: Clock, committed: Committed, *, faults: Faults = NO_FAULTS) -> None:
        self._faults = faults
        self._store = store
        self._clock = clock
        self._committed = committed

    def note(self, load: CountedLoad, figures: UsageFigures) -> None:
        """To be called before the commit. Earlier notes of the application are settled by the version it is after."""
        now = self._clock.now_us()
        earlier = usage_loads.c.app_id == load.app_id, usage_loads.c.version != load.version
        row = {
            "app_id": load.app_id,
            "version": load.version,
            "account_id": load.account.id,
            "stream": load.stream.name,
            "day": now // DAY_US,
            "rows_accepted": figures.rows_accepted,
            "rows_refused": figures.rows_refused,
            "bytes_in": figures.bytes_in,
            "noted_at": now,
        }
        with self._store.begin() as connection:
            self._take(connection, *earlier, usage_loads.c.version <= (-1 if load.after is None else load.after))
            connection.execute(delete(usage_loads).where(*earlier))
            added = self._store.upserts.insert(usage_loads).values(row)
            connection.execute(added.on_conflict_do_update(index_elements=["app_id", "version"], set_=row))

    def count(self, load: CountedLoad) -> None:
        """To be called after the commit."""
        self._faults.reach("usage.count")
        with self._store.begin() as connection:
            self._take(connection, usage_loads.c.app_id == load.app_id, usage_loads.c.version == load.version)

    def count_refused(self, load: CountedLoad, figures: UsageFigures) -> None:
        """Count rows of which none goes into the lake: whoever keeps them says whether they are new."""
        place = UsagePlace(load.account.id, self._clock.now_us() // DAY_US, FILES)
        with self._store.begin() as connection:
            add_usage(self._store, connection, {place: figures})

    def settle(self) -> None:
        """Count or drop what was noted a day ago and never counted: the step of a background loop."""
        old = select(usage_loads).where(usage_loads.c.noted_at < self._clock.now_us() - _OVER_US)
        with self._store.read() as connection:
            left = connection.execute(old.order_by(usage_loads.c.noted_at).limit(_AT_ONCE)).all()
        for row in left:
            stream = STREAMS.get(row.stream)
            done = None if stream is None else self._committed(stream, row.app_id)
            same = and_(usage_loads.c.app_id == row.app_id, usage_loads.c.version == row.version)
            with self._store.begin() as connection:
                if done is not None and done >= row.version:
                    self._take(connection, same)
                else:
                    connection.execute(delete(usage_loads).where(same))

    def _take(self, connection: Connection, *where: ColumnElement[bool]) -> None:
        """Delete notes and add their figures."""
        for row in connection.execute(delete(usage_loads).where(*where).returning(*usage_loads.c)).all():
            add_usage(self._store, connection, {_place_of(row): _figures_of(row)})


def _place_of(row: Any) -> UsagePlace:
    return UsagePlace(row.account_id, row.day, FILES)


def _figures_of(row: Any) -> UsageFigures:
    return UsageFigures(row.rows_accepted, row.rows_refused, row.bytes_in)
