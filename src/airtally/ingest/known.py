"""Tells which keys of a changelog may have versions already, without reading the versions.

Keeps 64-bit hashes of keys in memory, by stream and account; each call reads only files that are new since the last. A
key whose hash is not there has no versions; one whose hash is there may have some.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from sqlglot import exp

from airtally.engine.protocol import Engine
from airtally.kit.cache import Cache
from airtally.kit.errors import LimitExceeded
from airtally.sql.compiler import Binder, column
from airtally.sql.statement import Relation, Rows
from airtally.storage.lake.snapshot import DataFile, Snapshot, SnapshotSource
from airtally.streams.declaration import Stream

Hashes = npt.NDArray[np.uint64]
Mask = npt.NDArray[np.bool_]

#: Indexes of one process; each takes at most 8 bytes a key.
_INDEXES = 3
_MOST_KEYS = 100_000_000


@dataclass
class _Index:
    """Hashes in sorted runs, merged so that there are only a few."""

    files: set[str] = field(default_factory=set)
    runs: list[Hashes] = field(default_factory=list)

    @property
    def keys(self) -> int:
        return sum(map(len, self.runs))

    def add(self, hashes: Hashes) -> None:
        run = np.unique(hashes)
        while self.runs and len(self.runs[-1]) <= 2 * len(run):
            run = np.unique(np.concatenate([self.runs.pop(), run]))
        self.runs.append(run)

    def holds(self, hashes: Hashes) -> Mask:
        found = np.zeros(len(hashes), dtype=bool)
        for run in self.runs:
            found |= _among(run, hashes)
        return found


class KnownKeys:
    """Indexes of the changelogs used last. One thread at a time may call it for each stream of an account."""

    def __init__(self, engine: Engine, source: SnapshotSource) -> None:
        self._engine = engine
        self._source = source
        self._indexes: Cache[tuple[str, str], _Index] = Cache(_INDEXES)

    def may_be_known(self, stream: Stream, account: str, rows: pa.Table) -> Mask | None:
        """For each row, whether its key may have versions or comes twice; None if that cannot be told cheaply.

        Versions of other processes count as soon as a query sees them.
        """
        if not self._engine.capabilities.file_lists or any(stream.column(name).fold_case for name in stream.key):
            return None
        snapshot = self._source.snapshot(stream, account)
        index = self._index(stream, account)
        try:
            return self._may_be_known(snapshot, index, rows)
        except LimitExceeded:  # too many keys for the engine: the rows are resolved one by one
            return None

    def _may_be_known(self, snapshot: Snapshot, index: _Index, rows: pa.Table) -> Mask | None:
        stream, account = snapshot.stream, snapshot.account
        files = snapshot.compacted + snapshot.uncompacted
        index.files.intersection_update(file.path for file in files)
        new = [file for file in files if file.path not in index.files]
        if index.keys + sum(file.rows for file in new) > _MOST_KEYS:
            self._indexes.pop((stream.name, account))
            return None
        self._read(snapshot, new, index)
        hashes = self._hashes(stream, rows.select(list(stream.key)))
        known = index.holds(hashes) | _repeated(hashes)
        buffered = [table for table in snapshot.buffered if table.num_rows]
        if buffered:
            known |= _among(np.sort(self._hashes(stream, Rows(snapshot, (), tuple(buffered)))), hashes)
        return known

    def _read(self, snapshot: Snapshot, files: list[DataFile], index: _Index) -> None:
        if files:
            index.add(self._hashes(snapshot.stream, Rows(snapshot, tuple(files), ())))
            index.files.update(file.path for file in files)

    def _index(self, stream: Stream, account: str) -> _Index:
        with self._indexes.locked() as indexes:
            return indexes.setdefault((stream.name, account), _Index())

    def _hashes(self, stream: Stream, relation: Relation) -> Hashes:
        """Hashes of the keys; those of a table are in the order of its rows."""
        binder = Binder(stream)
        hashed = exp.Anonymous(this="HASH", expressions=[column(name) for name in stream.key])
        tree = exp.select(hashed.as_("hash", quoted=True)).from_(binder.relation(relation, "keys"))
        hashes: Hashes = self._engine.query(binder.statement(tree)).column(0).to_numpy()
        return hashes


def _among(run: Hashes, hashes: Hashes) -> Mask:
    """Whether each hash is in a sorted run."""
    if not len(run):
        return np.zeros(len(hashes), dtype=bool)
    order = np.argsort(hashes)
    places = np.minimum(np.searchsorted(run, hashes[order]), len(run) - 1)
    found = np.empty(len(hashes), dtype=bool)
    found[order] = run[places] == hashes[order]
    return found


def _repeated(hashes: Hashes) -> Mask:
    _, inverse, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    repeated: Mask = counts[inverse] > 1
    return repeated
