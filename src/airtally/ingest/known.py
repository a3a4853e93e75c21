"""Tells which keys of a changelog may have versions already, and which versions may be stored, without reading them.

Keeps 64-bit hashes of keys and of versions (key and time) in memory, by stream and account; each call reads only files
and buffered rows that are new since the last. What is not there is not stored; what is there may be: hashes may be
equal by chance, and those of erased rows stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
from sqlglot import exp

from airtally.engine.protocol import Engine, FilesMissing
from airtally.ingest.fold import TIME
from airtally.ingest.hash_runs import Hashes, HashRuns, Mask
from airtally.kit import metrics
from airtally.kit.cache import Cache
from airtally.kit.errors import LimitExceeded
from airtally.sql.compiler import Binder, column, micros
from airtally.sql.statement import Relation, Rows
from airtally.storage.lake.snapshot import DataFile, Snapshot, SnapshotSource
from airtally.streams.declaration import SEQUENCE, WRITER_ID, Stream

#: Files are read in groups of so many rows, so that memory and time of one statement are bounded.
_READ_ROWS = 4_000_000
#: Of an index and of each name in it, besides the hashes; about what Python takes.
_BYTES, _NAME_BYTES = 1_000, 300

#: Of a data file its path; of a table of buffered rows the writer and the sequences of its first and last row, which
#: name all its rows, as those of a buffer's lane are added in their order and never change.
_Name = str | tuple[str, int, int]


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
    """Hashes of the rows of the files and buffered tables that have these names. None where memory does not suffice."""

    keys: HashRuns | None
    versions: HashRuns | None
    names: set[_Name] = field(default_factory=set)

    @classmethod
    def empty(cls) -> _Index:
        return cls(HashRuns(), HashRuns())

    @property
    def size(self) -> int:
        """In bytes."""
        hashes = sum(runs.size for runs in (self.keys, self.versions) if runs is not None)
        return _BYTES + _NAME_BYTES * len(self.names) + hashes

    def smaller(self) -> _Index:
        """The index to build in place of one that grew too large: without versions, then without anything."""
        return _Index(None if self.versions is None else HashRuns(), None)

    def anew(self) -> _Index:
        """As much, without what it holds: hashes of rows that are gone."""
        return _Index(HashRuns(), None if self.versions is None else HashRuns())

    def add(self, hashed: HashedRows, names: Iterable[_Name]) -> None:
        if self.keys is not None:
            self.keys.add(hashed.keys)
        if self.versions is not None:
            self.versions.add(hashed.versions)
        self.names.update(names)


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
            return self._looked_up_twice(stream, account, rows)
        except LimitExceeded:  # too many rows for the engine: those of the batch are resolved one by one
            return None

    def _looked_up_twice(self, stream: Stream, account: str, rows: pa.Table) -> KnownRows | None:
        """On a new snapshot if a file is missing, since it may have been vacuumed meanwhile."""
        try:
            return self._looked_up(stream, account, rows)
        except FilesMissing:
            return self._looked_up(stream, account, rows)

    def _looked_up(self, stream: Stream, account: str, rows: pa.Table) -> KnownRows | None:
        snapshot = self._source.snapshot(stream, account)
        index = self._filled(snapshot)
        if index.keys is None:
            return None
        hashed = self._hashed(stream, rows.select([*stream.key, TIME]))
        known = index.keys.holds(hashed.keys)
        stored = None if index.versions is None else index.versions.holds(hashed.versions)
        return KnownRows(hashed, known, stored)

    def _filled(self, snapshot: Snapshot) -> _Index:
        """The index with all rows of a snapshot, of as much as memory suffices for."""
        key = snapshot.stream.name, snapshot.account
        index = self._indexes.get(key) or _Index.empty()
        fresh = not index.names
        while index.keys is not None and not self._read(key, index, snapshot):
            index, fresh = (index.smaller() if fresh else index.anew()), True
        self._indexes.put(key, index)
        self._gauge()
        return index

    def _read(self, key: tuple[str, str], index: _Index, snapshot: Snapshot) -> bool:
        """Read the files and buffered rows that the index does not have yet. False if it grew too large."""
        named = _parts_by_name(snapshot)
        index.names.intersection_update(named)
        for names in _groups({name: part for name, part in named.items() if name not in index.names}):
            parts = [named[name] for name in names]
            files = tuple(part for part in parts if isinstance(part, DataFile))
            tables = tuple(part for part in parts if not isinstance(part, DataFile))
            index.add(self._hashed(snapshot.stream, Rows(snapshot, files, tables)), names)
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


def _parts_by_name(snapshot: Snapshot) -> dict[_Name, DataFile | pa.Table]:
    """All files and buffered tables with rows."""
    named: dict[_Name, DataFile | pa.Table] = {file.path: file for file in snapshot.compacted + snapshot.uncompacted}
    return named | {_name_of_table(table): table for table in snapshot.buffered if table.num_rows}


def _name_of_table(buffered: pa.Table) -> _Name:
    sequences = buffered.column(SEQUENCE.name)
    return buffered.column(WRITER_ID.name)[0].as_py(), sequences[0].as_py(), sequences[-1].as_py()


def _groups(named: Mapping[_Name, DataFile | pa.Table]) -> Iterable[list[_Name]]:
    group: list[_Name] = []
    rows = 0
    for name, part in named.items():
        count = part.rows if isinstance(part, DataFile) else part.num_rows
        if group and rows + count > _READ_ROWS:
            yield group
            group, rows = [], 0
        group.append(name)
        rows += count
    if group:
        yield group
