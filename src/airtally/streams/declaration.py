"""The classes that declare a stream: its columns, times, key and partitions."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

import pyarrow as pa

from airtally.streams.evolution import Step
from airtally.streams.rollup import Rollup

DEFAULT_TEXT_BYTES = 256  # ids and names
LONG_TEXT_BYTES = 2048  # addresses, paths, titles, values
DESCRIPTION_BYTES = 4096


class Kind(StrEnum):
    """`EVENT`: a fact happens once. `CHANGELOG`: a row is a version of the record with that key."""

    EVENT = "event"
    CHANGELOG = "changelog"


class Type(StrEnum):
    """What a column holds, on the wire and in the lake."""

    INT64 = "int64"
    DOUBLE = "double"
    TEXT = "text"
    TIME = "time"  # RFC 3339 with offset on the wire, UTC microseconds in the lake
    LOCAL_TIME = "local time"  # wall clock, stored as if it were UTC so that every Delta reader opens the table
    DECIMAL = "decimal(18,6)"
    JSON = "json"  # stored as compact JSON text with sorted keys

    @property
    def arrow(self) -> pa.DataType:
        return _ARROW[self]

    @property
    def has_length(self) -> bool:
        """Whether `max_bytes` of a column limits it."""
        return self in {Type.TEXT, Type.JSON}


_ARROW = {
    Type.INT64: pa.int64(),
    Type.DOUBLE: pa.float64(),
    Type.TEXT: pa.string(),
    Type.TIME: pa.timestamp("us", "UTC"),
    Type.LOCAL_TIME: pa.timestamp("us", "UTC"),
    Type.DECIMAL: pa.decimal128(18, 6),
    Type.JSON: pa.string(),
}


class Partition(StrEnum):
    """How a stream's table is cut into Delta partitions (column `day`, a UTC date)."""

    EVENT_DAY = "event day"
    ARRIVAL_DAY = "arrival day"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a stream.

    `default` fills an absent or null value. `max_bytes` counts UTF-8 bytes, in a JSON column those of each
    text inside. `pattern` is an expression the whole text must match, read alike by RE2 and by Python.
    `json` is the Python type msgspec checks a JSON column against. A deletion in a changelog may leave out
    required columns other than the key. `cut_to_minute` and `milliseconds` cut a time on arrival.
    `may_be_empty` allows an empty text in a column that identifies rows (`Stream.named_by`).
    `fold_case` makes a key ignore the case of the letters A to Z (`sql/case.py`).
    `identifies` is the kind of id by which the column names a person: erasure finds the person's rows by it.
    """

    name: str
    type: Type
    doc: str = ""
    required: bool = False
    default: Any = None
    max_bytes: int = DEFAULT_TEXT_BYTES
    pattern: str | None = None
    pattern_says: str | None = None
    choices: tuple[str, ...] = ()
    minimum: int | None = None
    maximum: int | None = None
    json: Any = None
    json_says: str | None = None
    fold_case: bool = False
    may_be_empty: bool = False
    cut_to_minute: bool = False
    milliseconds: bool = False
    identifies: str | None = None

    def __post_init__(self) -> None:
        if self.pattern is not None and self.pattern_says is None:
            raise ValueError(f"column {self.name} has a pattern without pattern_says, its description")
        if (self.type is Type.JSON) != (self.json is not None and self.json_says is not None):
            raise ValueError(f"column {self.name} needs json and json_says if, and only if, its type is JSON")
        if self.identifies is not None and (self.type is not Type.TEXT or self.fold_case):
            raise ValueError(f"column {self.name} names a person, so it must be text compared exactly")


#: Columns the server adds to every stored row, after the stream's own.
RECEIVED_AT = pa.field("received_at", pa.timestamp("us", "UTC"))
WRITER_ID = pa.field("writer_id", pa.string())  # of the process or the file load that took the row
SEQUENCE = pa.field("sequence", pa.int64())
DAY = pa.field("day", pa.date32())
ACCOUNT = pa.field("account", pa.string())

#: Of two rows of one event or version, the one that is later in this order counts.
RECEIVED_ORDER = (RECEIVED_AT.name, WRITER_ID.name, SEQUENCE.name)
#: Together they name a row of a stream: no two rows have the same.
ROW_ID = (WRITER_ID.name, SEQUENCE.name)

#: `sequence` of a row = buffer sequence of its batch << 20 | position in the batch.
SEQUENCE_SHIFT = 20
MAX_BATCH_ROWS = 1 << SEQUENCE_SHIFT

VERSION_COLUMNS = (
    Column(
        "create_time_utc", Type.TIME, "When the record was created; the time of arrival if absent.", milliseconds=True
    ),
    Column(
        "last_update_time_utc",
        Type.TIME,
        "When this version was made; the time of arrival if absent.",
        milliseconds=True,
    ),
    Column("is_deleted", Type.INT64, "1 removes the record, a later 0 restores it.", default=0, minimum=0, maximum=1),
)


@dataclass(frozen=True, slots=True)
class Owned:
    """A column each of whose values belongs to one account of the server.

    `kind` names the values in the index of owners. In a stream that `declares`, a value belongs to the account
    that sends it first; every stream refuses rows with another account's value.
    """

    kind: str
    column: str
    declares: bool = False


@dataclass(frozen=True)
class Stream:
    """A declared, typed log of one kind of row in one account.

    `identity` names the columns that make two event rows the same event (together with the account and
    the UTC day); rows with a null among them are never the same. `key` is a changelog's key. `entity`
    is what rows are sorted by inside an account. `retention_days` None keeps rows for ever. `rollups` are
    built from it, the coarsest first. `business` names the column whose value must be a business of the account.
    `version` rises by one with each change of `columns`; `steps` name the changes that did more than add one
    (see `evolution`).
    """

    name: str
    kind: Kind
    doc: str
    columns: tuple[Column, ...]
    time: str
    identity: tuple[str, ...] = ()
    key: tuple[str, ...] = ()
    entity: tuple[str, ...] = ()
    partition: Partition = Partition.EVENT_DAY
    retention_days: int | None = None
    owned: Owned | None = None
    business: str | None = None
    rollups: tuple[Rollup, ...] = ()
    version: int = 1
    steps: tuple[Step, ...] = ()

    def __post_init__(self) -> None:
        names = {column.name for column in self.columns}
        referring = ((self.owned.column,) if self.owned else ()) + ((self.business,) if self.business else ())
        dimensions = {name for rollup in self.rollups for name in rollup.dimensions}
        for used in (self.time, *self.identity, *self.key, *self.entity, *referring, *dimensions):
            if used not in names:
                raise ValueError(f"stream {self.name} has no column {used}")
        named = dimensions & {column.name for column in self.person_columns}
        if named:  # figures outlive rows, so nothing in them may name a person
            raise ValueError(f"stream {self.name}: no rollup may have {', '.join(named)}, which names a person")

    def __hash__(self) -> int:
        """By the name: what is kept by stream is looked up at every question."""
        return hash(self.name)

    def column(self, name: str) -> Column:
        return self.by_name[name]

    @cached_property
    def named_by(self) -> frozenset[str]:
        """The text columns that identify a row's event or record, in which an empty text counts as missing."""
        names = {*self.key, *self.identity, *self.entity} | ({self.owned.column} if self.owned else set())
        texts = (self.by_name[name] for name in names if self.by_name[name].type is Type.TEXT)
        return frozenset(column.name for column in texts if not column.may_be_empty)

    def empty_is_null(self, name: str) -> bool:
        """Whether an empty text in a column counts as null: the column is optional and identifies rows."""
        return name in self.named_by and not self.by_name[name].required

    @cached_property
    def person_columns(self) -> tuple[Column, ...]:
        """The columns that name a person; none in a stream of facts about machines and media."""
        return tuple(column for column in self.columns if column.identifies is not None)

    @cached_property
    def by_name(self) -> dict[str, Column]:
        return {column.name: column for column in self.columns}

    @cached_property
    def row_schema(self) -> pa.Schema:
        """The validated columns of a row, in declared order, before the server's own are added."""
        return pa.schema([pa.field(c.name, c.type.arrow) for c in self.columns])

    @cached_property
    def stored_schema(self) -> pa.Schema:
        """A row in the buffer's tail and in the lake: `account`, the row, then the server's columns.

        `day` is the partition column and last; Delta keeps it out of the Parquet files.
        """
        fields = [ACCOUNT, *self.row_schema, RECEIVED_AT, WRITER_ID, SEQUENCE]
        if self.partition is not Partition.NONE:
            fields.append(DAY)
        return pa.schema(fields)

    @cached_property
    def sort_columns(self) -> tuple[str, ...]:
        """The order of rows inside a compacted file."""
        return tuple(dict.fromkeys(("account", *self.entity, self.time, *RECEIVED_ORDER)))
