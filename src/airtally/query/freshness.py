"""How much is stored of an account's stream, and when its last row was received: asked often, so of the log alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp

from airtally.engine.protocol import Engine
from airtally.kit.cache import Cache
from airtally.kit.time import from_datetime
from airtally.sql.compiler import column
from airtally.sql.statement import Rows, Statement
from airtally.storage.lake.snapshot import DataFile, Snapshot
from airtally.streams.declaration import ACCOUNT, RECEIVED_AT

#: Files of several accounts that one statement reads.
_AT_ONCE = 50
#: Files of several accounts whose rows of an account are remembered.
_REMEMBERED = 100_000
_CUT_US = 1000


@dataclass(frozen=True, slots=True)
class StoredRows:
    """`rows` are stored, duplicates that compaction has not removed yet among them; the last was received at `last_us`.

    Microseconds UTC, cut to the millisecond; None without rows.
    """

    rows: int = 0
    last_us: int | None = None

    def __add__(self, other: StoredRows) -> StoredRows:
        lasts = [each for each in (self.last_us, other.last_us) if each is not None]
        return StoredRows(self.rows + other.rows, max(lasts, default=None))


@dataclass(frozen=True, slots=True)
class StreamFreshness:
    """All rows received by `data_through_us` are among the `stored`."""

    stored: StoredRows
    data_through_us: int


class Freshness:
    """Reads the table's log; of files only those that hold rows of several accounts, each once. Thread-safe."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._mixed: Cache[tuple[str, str], StoredRows] = Cache(_REMEMBERED)

    def of(self, snapshot: Snapshot) -> StreamFreshness:
        """Raises what the engine raises."""
        lists = self._engine.capabilities.file_lists
        in_lake = self._in_files(snapshot) if lists else self._counted(snapshot, [snapshot.uncompacted])[0]
        buffered = (_of_table(rows, snapshot.account) for rows in snapshot.buffered)
        return StreamFreshness(sum(buffered, in_lake), snapshot.data_through_us)

    def _in_files(self, snapshot: Snapshot) -> StoredRows:
        files = snapshot.compacted + snapshot.uncompacted
        known = {file.path: found for file in files if (found := self._known(snapshot.account, file)) is not None}
        unknown = [file for file in files if file.path not in known]
        for start in range(0, len(unknown), _AT_ONCE):
            some = unknown[start : start + _AT_ONCE]
            for file, found in zip(some, self._counted(snapshot, [(file,) for file in some]), strict=True):
                self._mixed.put((snapshot.account, file.path), found)
                known[file.path] = found
        return sum(known.values(), StoredRows())

    def _known(self, account: str, file: DataFile) -> StoredRows | None:
        if file.account == account and file.last_received_us is not None:
            return StoredRows(file.rows, file.last_received_us)
        return self._mixed.get((account, file.path))

    def _counted(self, snapshot: Snapshot, groups: Sequence[tuple[DataFile, ...]]) -> list[StoredRows]:
        """The rows of each group of files, by one statement. An engine without lists of files reads the whole table."""
        relations = {f"rows_{number}": Rows(snapshot, files, ()) for number, files in enumerate(groups)}
        tree = _union(_counts(number, name) for number, name in enumerate(relations))
        found = self._engine.query(Statement(tree, relations)).to_pylist()
        by_group = {row["group"]: StoredRows(row["rows"], _cut(row["last"])) for row in found}
        return [by_group[number] for number in range(len(groups))]


def _counts(number: int, relation: str) -> exp.Query:
    counted = exp.cast(exp.Count(this=exp.Literal.number(1)), "bigint").as_("rows", quoted=True)
    last = exp.Max(this=exp.UnixMicros(this=column(RECEIVED_AT.name))).as_("last", quoted=True)
    group = exp.cast(exp.Literal.number(number), "bigint").as_("group", quoted=True)
    return exp.select(group, counted, last).from_(exp.to_table(relation))


def _union(queries: Iterable[exp.Query]) -> exp.Query:
    return reduce(lambda one, other: exp.union(one, other, distinct=False, copy=False), queries)


def _of_table(rows: pa.Table, account: str) -> StoredRows:
    rows = rows.filter(pc.equal(rows.column(ACCOUNT.name), account))
    last = pc.max(rows.column(RECEIVED_AT.name)).as_py()
    return StoredRows(rows.num_rows, None if last is None else _cut(from_datetime(last)))


def _cut(moment_us: int | None) -> int | None:
    return None if moment_us is None else moment_us // _CUT_US * _CUT_US
