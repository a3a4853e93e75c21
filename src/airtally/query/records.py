"""The records of small changelogs, kept in memory: what came since they were read is added to them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from airtally.kit.cache import Cache
from airtally.kit.keyed_locks import KeyedLocks
from airtally.query.changelog import Records
from airtally.query.last_versions import live_records, merged_versions, version_schema
from airtally.query.version_reader import VersionReader
from airtally.sql.case import folded
from airtally.sql.filters import EVERYTHING, Equals
from airtally.storage.lake.snapshot import Snapshot
from airtally.streams.declaration import ACCOUNT, Stream, Type

#: Records kept in all; the least recently asked go first, those of the last asked account stay.
MAX_RECORDS = 200_000
#: Rows of new files that are added one by one; more are ranked with all others by the engine.
_ADDED_ROWS = 50_000
#: How long a changelog of too many records is not tried again, and how many such are remembered.
_CROWDED_SECONDS, _CROWDED = 600, 10_000

Row = dict[str, Any]
T = TypeVar("T")


class KnownRecords(Mapping[Any, Row]):
    """Records as they are now, by key: a tuple where the key has several columns.

    Texts that are matched without case are found in any case. `table` (`stream.row_schema`) is in order of the key.
    """

    def __init__(self, stream: Stream, table: pa.Table) -> None:
        self.table = table
        self._key = stream.key
        self._folds = tuple(stream.by_name[name].fold_case for name in stream.key)
        self._made: dict[Callable[[KnownRecords], Any], Any] = {}

    @cached_property
    def _places(self) -> dict[tuple[Any, ...], int]:
        columns = [self.table.column(name).to_pylist() for name in self._key]
        return {self._folded(key): place for place, key in enumerate(zip(*columns, strict=True))}

    def once(self, make: Callable[[KnownRecords], T]) -> T:
        """What `make`, a function or class, makes of the records: kept with them, and gone when they change."""
        found: T | None = self._made.get(make)
        if found is None:
            found = self._made.setdefault(make, make(self))
        return found

    def __getitem__(self, key: Any) -> Row:
        row: Row = self.row(key).to_pylist()[0]
        return row

    def row(self, key: Any) -> pa.Table:
        """The record as a table. Raises KeyError."""
        return self.table.slice(self._places[self._folded(key if isinstance(key, tuple) else (key,))], 1)

    def __iter__(self) -> Iterator[Any]:
        return (key if len(key) > 1 else key[0] for key in self._places)

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def _folded(self, key: tuple[Any, ...]) -> tuple[Any, ...]:
        pairs = zip(key, self._folds, strict=True)
        return tuple(folded(part) if folds and isinstance(part, str) else part for part, folds in pairs)


class TooManyRecords(Exception):
    """A changelog has more records than are kept in memory."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """`last`: the last version of each key (`version_schema`) of the rows of `files`; `known`: with what is buffered."""

    state: Hashable | None
    files: frozenset[str]
    last: pa.Table
    known: KnownRecords

    @property
    def size(self) -> int:
        return max(1, int(self.last.num_rows), len(self.known))


class RecordsCache:
    """What is given is never older than the snapshot it is asked with.

    Rows that a buffer holds, and files that were added, are merged into what is kept; files that went, as after
    compaction, have all read again. Thread-safe: by the lock of its `Cache`, and one for each stream of an account
    while its records are made.
    """

    def __init__(self, reader: VersionReader, max_records: int = MAX_RECORDS) -> None:
        self._reader, self._max = reader, max_records
        self._kept: Cache[tuple[str, str], _Kept] = Cache(max_records, size_of=lambda each: min(each.size, max_records))
        self._crowded: Cache[tuple[str, str], bool] = Cache(_CROWDED, seconds=_CROWDED_SECONDS)
        self._loading: KeyedLocks[tuple[str, str], threading.Lock] = KeyedLocks(threading.Lock)

    def get(self, snapshot: Snapshot, most: int | None = None) -> KnownRecords:
        """All records, however many; of several callers at once, one makes them. Raises TooManyRecords above `most`."""
        place = (snapshot.stream.name, snapshot.account)
        found = self._find(place, snapshot.state)
        if found is not None:
            return found
        with self._loading.of(place):
            found = self._find(place, snapshot.state)
            if found is None:
                made = self._made(snapshot, self._kept.get(place), most)
                self._kept.put(place, made)
                found = made.known
            return found

    def few(self, snapshot: Snapshot) -> KnownRecords | None:
        """All records; None where they are more than are kept in memory."""
        place = (snapshot.stream.name, snapshot.account)
        if self._crowded.get(place):
            return None
        try:
            return self.get(snapshot, self._max)
        except TooManyRecords:
            self._crowded.put(place, True)
            return None

    def clear(self) -> None:
        """Forget all records."""
        self._kept.clear()

    def _find(self, place: tuple[str, str], state: Hashable | None) -> KnownRecords | None:
        kept = self._kept.get(place)
        return kept.known if kept is not None and state is not None and kept.state == state else None

    def _made(self, snapshot: Snapshot, kept: _Kept | None, most: int | None) -> _Kept:
        stream, files = snapshot.stream, frozenset(file.path for file in snapshot.compacted + snapshot.uncompacted)
        last = self._last_of_files(snapshot, files, kept, most)
        now = merged_versions(stream, last, _buffered(snapshot))
        return _Kept(snapshot.state, files, last, KnownRecords(stream, live_records(stream, now)))

    def _last_of_files(
        self, snapshot: Snapshot, files: frozenset[str], kept: _Kept | None, most: int | None
    ) -> pa.Table:
        stream = snapshot.stream
        if not files:
            return version_schema(stream).empty_table()
        if kept is not None and kept.files == files:
            return kept.last
        if kept is not None and kept.files < files and self._reader.reads_files:
            new = snapshot.of_files(lambda file: file.path not in kept.files)
            if sum(file.rows for file in new.compacted + new.uncompacted) <= _ADDED_ROWS:
                return merged_versions(stream, kept.last, self._reader.rows(new))
        found = self._reader.last_versions(snapshot, None if most is None else most + 1)
        if most is not None and found.num_rows > most:
            raise TooManyRecords
        return found


def is_plain(wanted: Records) -> bool:
    """Whether a listing is of all live records in the order of their key, or of the one with a key that is a number."""
    if wanted.order or wanted.deleted:
        return False
    return wanted.where == EVERYTHING or _number_asked(wanted) is not None


def page_of_known(wanted: Records, known: KnownRecords) -> tuple[pa.Table, int]:
    """A page of such a listing, and the number of records on all pages."""
    number = _number_asked(wanted)
    table = known.table
    if number is not None:
        table = known.row(number) if number in known else table.slice(0, 0)
    return table.slice(wanted.offset, wanted.limit), table.num_rows


def _number_asked(wanted: Records) -> int | None:
    key, where = wanted.stream.key, wanted.where
    if len(key) > 1 or not isinstance(where, Equals) or where.column != key[0]:
        return None
    return where.value if isinstance(where.value, int) and wanted.stream.by_name[key[0]].type is Type.INT64 else None


def _buffered(snapshot: Snapshot) -> pa.Table:
    schema = version_schema(snapshot.stream)
    return pa.concat_tables([schema.empty_table(), *_own(snapshot.buffered, snapshot.account, schema)])


def _own(tables: Iterable[pa.Table], account: str, schema: pa.Schema) -> Iterator[pa.Table]:
    for table in tables:
        yield table.filter(pc.equal(table.column(ACCOUNT.name), account)).select(schema.names).cast(schema)
