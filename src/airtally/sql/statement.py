"""A query as an engine gets it: a tree over relations, which are rows of snapshots, files or tables in memory."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TypeAlias

import pyarrow as pa
from sqlglot import exp

from airtally.storage.lake.snapshot import DataFile, Snapshot
from airtally.streams.declaration import ACCOUNT, DAY

Value = str | int | float | bool | None


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
        return cls(snapshot, snapshot.compacted + snapshot.uncompacted, snapshot.buffered, days)

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
    """Parquet files as a relation, for an engine with `file_lists`.

    `schema` has the columns that a query can name. With `account` the files hold rows of several accounts, which a
    column tells apart, and an engine shows those of this account alone; without, every row of them. `table` is the
    folder in which they lie, or the name of what makes them for a while.
    """

    files: tuple[DataFile, ...]
    schema: pa.Schema
    table: str
    account: str | None = None

    @property
    def stored(self) -> pa.Schema:
        """The columns that are read: the schema, and the one that tells accounts apart where there are several."""
        return self.schema if self.account is None else pa.schema([ACCOUNT, *self.schema])


Relation: TypeAlias = Rows | Files | pa.Table


@dataclass(frozen=True, slots=True)
class Statement:
    """A query as an engine gets it: a tree over the names of `relations`, with named placeholders.

    Names of relations and parameters that begin with `_` are the engines' own. Statements with equal keys have
    equal trees; without a key nothing is remembered of one.
    """

    tree: exp.Query
    relations: Mapping[str, Relation]
    parameters: Mapping[str, Value] = field(default_factory=dict)
    key: Hashable | None = None
