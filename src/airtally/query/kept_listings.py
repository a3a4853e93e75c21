"""Listings and last arrivals from memory, where they are few enough, and a count of where answers came from."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from airtally.engine.protocol import Engine
from airtally.kit import metrics
from airtally.query.arrival_reader import ArrivalReader
from airtally.query.changelog import Records
from airtally.query.last_arrivals import LastArrivals
from airtally.query.records import KnownRecords, RecordsCache, is_plain, page_of_known
from airtally.query.version_reader import VersionReader
from airtally.storage.lake.snapshot import Snapshot


class KeptListings:
    """What `airtally.query` keeps of changelogs and arrivals. Thread-safe: its two caches are.

    `used` False: pages and arrivals are always left to statements.
    """

    def __init__(self, engine: Engine, *, used: bool = True) -> None:
        self._records = RecordsCache(VersionReader(engine))
        self._arrivals = LastArrivals(ArrivalReader(engine))
        self._engine, self._used = engine, used

    def known(self, snapshot: Snapshot) -> KnownRecords:
        """All records, however many."""
        return self._records.get(snapshot)

    def page(self, wanted: Records, snapshot: Snapshot) -> tuple[pa.Table, int] | None:
        """A page and the number of records on all pages; None where a statement is needed."""
        known = self._records.few(snapshot) if self._used and is_plain(wanted) else None
        _count("records", in_memory=known is not None)
        return None if known is None else page_of_known(wanted, known)

    def last_arrivals(self, snapshot: Snapshot, name: str, values: Sequence[int]) -> dict[int, int] | None:
        """As `LastArrivals.of`; None where a statement is needed."""
        used = self._used and self._engine.capabilities.file_lists
        found = self._arrivals.of(snapshot, name, values) if used else None
        _count("last arrivals", in_memory=found is not None)
        return found

    def clear(self) -> None:
        """Forget everything."""
        self._records.clear()
        self._arrivals.clear()


def _count(kind: str, *, in_memory: bool) -> None:
    metrics.LOOKUPS.labels(kind, "memory" if in_memory else "rows").inc()
