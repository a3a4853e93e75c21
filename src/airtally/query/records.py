"""The records of small changelogs, kept in memory as long as nothing of them has changed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any, TypeVar

import pyarrow as pa

from airtally.kit.cache import Cache
from airtally.kit.keyed_locks import KeyedLocks
from airtally.sql.case import folded
from airtally.storage.lake.snapshot import Snapshot
from airtally.streams.declaration import Stream

#: Records kept in all; the least recently asked go first, those of the last asked account stay.
MAX_RECORDS = 200_000

Row = dict[str, Any]
T = TypeVar("T")


class KnownRecords(Mapping[Any, Row]):
    """Records as they are now, by key: a tuple where the key has several columns.

    Texts that are matched without case are found in any case. `table` (`stream.row_schema`) is in order of the key.
    """

    def __init__(self, stream: Stream, table: pa.Table) -> None:
        self.table = table
        self._folds = tuple(stream.by_name[name].fold_case for name in stream.key)
        columns = [table.column(name).to_pylist() for name in stream.key]
        self._places = {self._folded(key): place for place, key in enumerate(zip(*columns, strict=True))}
        self._made: dict[Callable[[KnownRecords], Any], Any] = {}

    def once(self, make: Callable[[KnownRecords], T]) -> T:
        """What `make`, a function or class, makes of the records: kept with them, and gone when they change."""
        found: T | None = self._made.get(make)
        if found is None:
            found = self._made.setdefault(make, make(self))
        return found

    def __getitem__(self, key: Any) -> Row:
        place = self._places[self._folded(key if isinstance(key, tuple) else (key,))]
        row: Row = self.table.slice(place, 1).to_pylist()[0]
        return row

    def __iter__(self) -> Iterator[Any]:
        return (key if len(key) > 1 else key[0] for key in self._places)

    def __len__(self) -> int:
        return len(self._places)

    def _folded(self, key: tuple[Any, ...]) -> tuple[Any, ...]:
        pairs = zip(key, self._folds, strict=True)
        return tuple(folded(part) if folds and isinstance(part, str) else part for part, folds in pairs)


class RecordsCache:
    """What is given is never older than the snapshot it is asked with.

    Thread-safe: by the lock of its `Cache`, and one for each stream of an account while its records are loaded.
    """

    def __init__(self, max_records: int = MAX_RECORDS) -> None:
        self._kept: Cache[tuple[str, str], tuple[Hashable, KnownRecords]] = Cache(
            max_records, size_of=lambda entry: min(max(1, len(entry[1])), max_records)
        )
        self._loading: KeyedLocks[tuple[str, str], threading.Lock] = KeyedLocks(threading.Lock)

    def get(self, snapshot: Snapshot, load: Callable[[Snapshot], pa.Table]) -> KnownRecords:
        """`load` gives the records of the snapshot; of several callers at once, one loads."""
        place = (snapshot.stream.name, snapshot.account)
        found = self._find(place, snapshot.state)
        if found is not None:
            return found
        with self._loading.of(place):
            found = self._find(place, snapshot.state)
            if found is None:
                found = KnownRecords(snapshot.stream, load(snapshot))
                self._kept.put(place, (snapshot.state, found))
            return found

    def clear(self) -> None:
        """Forget all records."""
        self._kept.clear()

    def _find(self, place: tuple[str, str], state: Hashable | None) -> KnownRecords | None:
        kept = self._kept.get(place)
        return kept[1] if kept is not None and state is not None and kept[0] == state else None
