"""Reads versions of a changelog's records from the files of a snapshot; what is buffered is left to the caller."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
from sqlglot import exp

from airtally.engine.protocol import Engine
from airtally.kit.cache import Cache
from airtally.query.changelog import Records, current_records
from airtally.query.last_versions import in_key_order, version_schema
from airtally.sql.compiler import Binder, column
from airtally.sql.statement import Rows, Statement
from airtally.storage.lake.snapshot import Snapshot

_TREES: Cache[str, exp.Select] = Cache(100)


class VersionReader:
    """Tables of `version_schema`. Each call is one statement. Thread-safe: the engine is."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def reads_files(self) -> bool:
        """Whether some files of a snapshot can be read without the others."""
        return self._engine.capabilities.file_lists

    def last_versions(self, snapshot: Snapshot, limit: int | None) -> pa.Table:
        """The last version of each key, deleted ones too, in order of the key; of more than `limit`, any so many."""
        stream, binder = snapshot.stream, Binder(snapshot.stream)
        columns = [column(name) for name in version_schema(stream).names]
        wanted = Records(stream, snapshot.account, deleted=True)
        tree = current_records(binder, wanted, replace(snapshot, buffered=()), columns)
        tree = tree if limit is None else tree.limit(limit)
        found = self._engine.query(binder.statement(tree))
        return in_key_order(stream, found.cast(version_schema(stream)))

    def rows(self, snapshot: Snapshot) -> pa.Table:
        """All versions, in no order. The statement's text never changes."""
        stream = snapshot.stream
        tree = _TREES.get(stream.name)
        if tree is None:
            tree = exp.select(*map(column, version_schema(stream).names)).from_(exp.to_table("rows"))
            _TREES.put(stream.name, tree)
        rows = Rows(snapshot, snapshot.compacted + snapshot.uncompacted, ())
        found = self._engine.query(Statement(tree, {"rows": rows}, key=("versions", stream.name)))
        return found.cast(version_schema(stream))
