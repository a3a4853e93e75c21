"""What the server asks of an analytics engine, and what tells one engine from another."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Protocol, TypeAlias

import pyarrow as pa
from sqlglot import exp

from airtally.kit.errors import Unavailable
from airtally.lake.damage import PARTS_HELP, ROWS_HELP, missing_words
from airtally.lake.place import ROLLUPS
from airtally.lake.snapshot import DataFile, Snapshot
from airtally.streams.declaration import DAY

Value = str | int | float | bool | None


class FilesMissing(Unavailable):
    """Files of the snapshot are gone. If they were vacuumed, a new snapshot has the rows; else they are lost.

    `gone` are their names by table, empty where the engine does not tell.
    """

    code = "data_missing"
    retry_after = 1
    hint = ROWS_HELP
    gone: Mapping[str, Sequence[str]] = {}

    @classmethod
    def of(cls, relations: Iterable[Relation], said: str) -> FilesMissing:
        """`said`: the words of the system or the bucket, which name the file."""
        for relation in relations:
            gone = [] if isinstance(relation, pa.Table) else [each for each in relation.files if _is_gone(each, said)]
            if gone:
                return cls._of_table(relation, gone)
        return cls("Data files are missing from the lake.", hint="`airtally doctor` names them")

    @classmethod
    def _of_table(cls, relation: Rows | Files, gone: Sequence[DataFile]) -> FilesMissing:
        table = relation.table
        names = [_below(table, each.path) for each in gone]
        parts = f"/{ROLLUPS}/{table}/" in gone[0].path
        failure = cls(missing_words(table, names), hint=PARTS_HELP if parts else "")
        failure.gone = {table: names}
        return failure


def _below(table: str, path: str) -> str:
    """Never more than the name where a file lies elsewhere: a path of the server is not shown."""
    return path.rpartition(f"/{table}/" if f"/{table}/" in path else "/")[2]


def _is_gone(file: DataFile, said: str) -> bool:
    if "://" in file.path:
        return file.path.rpartition("/")[2] in said
    return not Path(file.path).exists()


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What queries are planned by, in place of asking which engine it is.

    `file_lists`: reads exactly the files it is given, so clean files can be told from fresh ones.
    `buffered_rows`: sees rows that are not in the lake yet; without it a snapshot must be flushed.
    `keeps_order`: rows of an ordered subquery keep their order through what is computed from each.
    `time_type`: has a type for the time of day, whose text is the quickest way to it.
    `wide_sums`: sums of bigint are wider than 64 bits by themselves.
    """

    name: str
    dialect: str
    file_lists: bool
    buffered_rows: bool
    keeps_order: bool
    time_type: bool
    wide_sums: bool


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a snapshot as a relation; an engine never shows those of another account.

    An engine without `file_lists` reads the whole table as of the snapshot's version, cut to `days`
    (first and last partition) where they are given.
    """

    snapshot: Snapshot
    files: tuple[DataFile, ...]
    buffered: tuple[pa.Table, ...]
    days: tuple[date, date] | None = None

    @classmethod
    def all_of(cls, snapshot: Snapshot, days: tuple[date, date] | None = None) -> Rows:
        return cls(snapshot, snapshot.clean + snapshot.fresh, snapshot.buffered, days)

    @property
    def schema(self) -> pa.Schema:
        """The columns a query can name: the stored ones, without the partition column."""
        stored = self.snapshot.stream.stored_schema
        return pa.schema([column for column in stored if column.name != DAY.name])

    @property
    def table(self) -> str:
        return self.snapshot.stream.name

    @property
    def empty(self) -> bool:
        return not self.files and not any(table.num_rows for table in self.buffered)


@dataclass(frozen=True, slots=True)
class Files:
    """Parquet files of one account's own as a relation, for an engine with `file_lists`.

    `table` is the folder in which they lie, or the name of what makes them for a while.
    """

    files: tuple[DataFile, ...]
    schema: pa.Schema
    table: str


Relation: TypeAlias = Rows | Files | pa.Table


@dataclass(frozen=True, slots=True)
class Statement:
    """A question as an engine gets it: a tree over the names of `relations`, with named placeholders.

    Names of relations and parameters that begin with `_` are the engines' own. Statements with equal keys have
    equal trees; without a key nothing is remembered of one.
    """

    tree: exp.Query
    relations: Mapping[str, Relation]
    parameters: Mapping[str, Value] = field(default_factory=dict)
    key: Hashable | None = None


class Engine(Protocol):
    """Answers statements, within its limits of memory and time.

    Both methods raise LimitExceeded, which names the limit and its setting, FilesMissing, and StorageFull
    when there is no room for what does not fit in memory. May be called from many threads at once.
    """

    @property
    def capabilities(self) -> Capabilities: ...

    def query(self, statement: Statement) -> pa.Table:
        """The whole answer."""
        ...

    def stream(self, statement: Statement) -> Iterator[pa.RecordBatch]:
        """The answer in parts, in its order; the time limit runs until the last part is taken."""
        ...

    def close(self) -> None: ...
