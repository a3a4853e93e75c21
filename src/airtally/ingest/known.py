"""Tells which keys of a changelog may have versions already, and which versions may be stored, without reading them.

Keeps 64-bit hashes of keys and of versions (key and time) in memory, by stream and account; each call reads only files
that are new since the last. What is not there is not stored; what is there may be: hashes may be equal by chance, and
those of erased rows stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
from sqlglot import exp

from airtally.engine.protocol import Engine, FilesMissing
from airtally.ingest.fold import TIME
from airtally.ingest.hash_runs import Hashes, HashRuns, Mask, among
from airtally.kit import metrics
from airtally.kit.cache import Cache
from airtally.kit.errors import LimitExceeded
from airtally.sql.compiler import Binder, column, micros
from airtally.sql.statement import Relation, Rows
from airtally.storage.lake.snapshot import DataFile, Snapshot, SnapshotSource
from airtally.streams.declaration import Stream

#: Files are read in groups of so many rows, so that memory and time of one statement are bounded.
_READ_ROWS = 4_000_000
#: Of an index and of each file in it, besides the hashes; about what Python takes.
_BYTES, _FILE_BYTES = 1_000, 300


@dataclass(frozen=True, slots=True)
class HashedRows:
    """Of each row of a table, in order: hashes of its key and of its version."""

    keys: Hashes
    versions: Hashes


@dataclass(frozen=True, slots=True)
class KnownRows:
    """What is known of each row of a batch. `stored_versions` is None where memory does not suffice to tell."""

    hashed: HashedRows
    known_keys: Mask
    stored_versions: Mask | None


@dataclass
class _Index:
    """Hashes of the rows of `files`. None where they do not fit into memory."""

    keys: HashRuns | None
    versions: HashRuns | None
    files: set[str] = field(default_factory=set)

    @classmethod
    def empty(cls) -> _Index:
        return cls(HashRuns(), HashRuns())

    @property
    def size(self) -> int:
        """In bytes."""
        hashes = sum(runs.size for runs in (self.keys, self.versions) if runs is not None)
        return _BYTES + _FILE_BYTES * len(self.files) + hashes

    def smaller(self) -> _Index:
        """The index to build in place of one that grew too large: without versions, then without anything."""
        return _Index(None if self.versions is None else HashRuns(), None)

    def anew(self) -> _Index:
        """As much, without what it holds: hashes of rows that are gone."""
        return _Index(HashRuns(), None if self.versions is None else HashRuns())

    def add(self, hashed: HashedRows, files: Iterable[DataFile]) -> None:
        if self.keys is not None:
            self.keys.add(hashed.keys)
        if self.versions is not None:
            self.versions.add(hashed.versions)
        self.files.update(file.path for file in files)


class KnownVersions:
    """The indexes of this process, within `memory` bytes; those not used for the longest leave first.

    One thread at a time may call it for each stream of an account.
    """

    def __init__(self, engine: Engine, source: SnapshotSource, memory: int) -> None:
        self._engine = engine
        self._source = source
        self._memory = memory
        self._indexes: Cache[tuple[str, str], _Index] = Cache(memory, size_of=lambda index: index.size)

    def look_up(self, stream: Stream, account: str, rows: pa.Table) -> KnownRows | None:
        """What is known of rows (`stream.row_schema`) that have their times; None if that cannot be told cheaply.

        Versions of other processes count as soon as a query sees them.
        """
        folds = any(stream.column(name).fold_case for name in stream.key)
        if not self._memory or not self._engine.capabilities.file_lists or folds:
            return None
        try:
            return self._look_up(stream, account, rows)
        except FilesMissing:  # they may have been vacuumed meanwhile
            return self._look_up(stream, account, rows)
        except LimitExceeded:  # too many rows for the engine: those of the batch are resolved one by one
            return None

    def _look_up(self, stream: Stream, account: str, rows: pa.Table) -> KnownRows | None:
        snapshot = self._source.snapshot(stream, account)
        index = self._filled(snapshot)
        if index.keys is None:
            return None
        hashed = self._hashed(stream, rows.select([*stream.key, TIME]))
        known = index.keys.holds(hashed.keys)
        stored = None if index.versions is None else index.versions.holds(hashed.versions)
        buffered = tuple(table for table in snapshot.buffered if table.num_rows)
        if buffered:
            waiting = self._hashed(stream, Rows(snapshot, (), buffered))
            known |= among(waiting.keys, hashed.keys)
            stored = None if stored is None else stored | among(waiting.versions, hashed.versions)
        return KnownRows(hashed, known, stored)

    def _filled(self, snapshot: Snapshot) -> _Index:
        """The index with all files of a snapshot, of as much as memory suffices for."""
        key = snapshot.stream.name, snapshot.account
        index = self._indexes.get(key) or _Index.empty()
        fresh = not index.files
        while index.keys is not None and not self._read(key, index, snapshot):
            index, fresh = (index.smaller() if fresh else index.anew()), True
        self._indexes.put(key, index)
        self._gauge()
        return index

    def _read(self, key: tuple[str, str], index: _Index, snapshot: Snapshot) -> bool:
        """Read the files that the index does not have yet. False if it grew too large."""
        files = snapshot.compacted + snapshot.uncompacted
        index.files.intersection_update(file.path for file in files)
        for group in _groups([file for file in files if file.path not in index.files]):
            index.add(self._hashed(snapshot.stream, Rows(snapshot, tuple(group), ())), group)
            if index.size > self._memory:
                self._indexes.pop(key)
                return False
            self._indexes.put(key, index)  # others make room for what was added
        return True

    def _gauge(self) -> None:
        with self._indexes.locked() as indexes:
            metrics.VERSION_INDEX_BYTES.set(sum(index.size for index in indexes.values()))

    def _hashed(self, stream: Stream, relation: Relation) -> HashedRows:
        """Of a table, in the order of its rows."""
        binder = Binder(stream)
        key = [column(name) for name in stream.key]
        tree = exp.select(_hash(key).as_("key", quoted=True), _hash([*key, micros(TIME)]).as_("version", quoted=True))
        found = self._engine.query(binder.statement(tree.from_(binder.relation(relation, "rows"))))
        return HashedRows(found.column("key").to_numpy(), found.column("version").to_numpy())


def _hash(values: Sequence[exp.Expr]) -> exp.Expr:
    return exp.Anonymous(this="HASH", expressions=[value.copy() for value in values])


def _groups(files: Sequence[DataFile]) -> Iterable[list[DataFile]]:
    group: list[DataFile] = []
    for file in files:
        if group and sum(each.rows for each in group) + file.rows > _READ_ROWS:
            yield group
            group = []
        group.append(file)
    if group:
        yield group
