"""The schemas that a stream's table has had, and how the table follows the declaration.

They are properties of the table: `airtally.schema.N` is the list of the columns (JSON) of files of
schema N, `airtally.schemaVersion` the newest N, `airtally.streamVersion` the stream's declared version that made it.
A file of schema 2 or later ends in `-sN.parquet`; all others are of schema 1. So what a file holds is known without
opening it, and no file is rewritten when a column is added.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import msgspec
import pyarrow as pa
from deltalake import DeltaTable, Schema
from deltalake.exceptions import CommitFailedError

from airtally.kit.errors import NewerHome
from airtally.streams.declaration import DAY, RECEIVED_ORDER, Stream
from airtally.streams.evolution import former_names, unknown_columns

FIRST = 1
#: Delta's own property: the columns whose statistics readers of the log are given.
STATISTICS = "delta.dataSkippingStatsColumns"
_NEWEST, _COLUMNS, _DECLARED = "airtally.schemaVersion", "airtally.schema.", "airtally.streamVersion"
_OF_FILE = re.compile(r"-s([0-9]+)\.parquet$")


@dataclass(frozen=True)
class SchemaHistory:
    """The columns (without the partition's) of each schema that a table has had, by number."""

    stream: Stream
    columns: Mapping[int, frozenset[str]]
    declared: int

    @classmethod
    def of(cls, stream: Stream, handle: DeltaTable) -> SchemaHistory:
        """Raises NewerHome for a table that a newer program changed."""
        kept = handle.metadata().configuration
        newest = int(kept.get(_NEWEST, FIRST))
        if newest == FIRST:
            columns = {FIRST: frozenset(field.name for field in handle.schema().fields) - {DAY.name}}
        else:
            columns = {n: frozenset(msgspec.json.decode(kept[f"{_COLUMNS}{n}"])) for n in range(FIRST, newest + 1)}
        history = cls(stream, columns, int(kept.get(_DECLARED, FIRST)))
        history.check()
        return history

    @property
    def newest(self) -> int:
        return max(self.columns)

    @cached_property
    def today(self) -> frozenset[str]:
        """The columns as declared."""
        return frozenset(self.stream.stored_schema.names) - {DAY.name}

    @property
    def current(self) -> bool:
        """Whether the table's newest schema is the declared one."""
        return self.columns[self.newest] == self.today

    def check(self) -> None:
        """Raises NewerHome."""
        name, unknown = self.stream.name, unknown_columns(self.stream, self.columns[self.newest])
        if self.declared > self.stream.version or unknown:
            found = [f"version {self.declared} of the stream"] if self.declared > self.stream.version else []
            found += [f"column {each}" for each in sorted(unknown)]
            raise NewerHome(
                f"The table of stream {name} was changed by a newer Airtally: it has {', '.join(found)}; "
                f"this program knows version {self.stream.version} without it"
            )

    def of_file(self, name: str) -> frozenset[str] | None:
        """The columns of a file by its name; None where they are those declared today."""
        found = _OF_FILE.search(name)
        columns = self.columns.get(int(found[1]) if found else FIRST, self.today)
        return None if columns == self.today else columns

    @property
    def properties(self) -> dict[str, str]:
        """Of the table once it follows the declaration."""
        columns = {**self.columns, self.newest + 1: self.today}
        listed = {f"{_COLUMNS}{n}": msgspec.json.encode(sorted(names)).decode() for n, names in columns.items()}
        return listed | {_NEWEST: str(self.newest + 1), _DECLARED: str(self.stream.version)}


def statistics_columns(stream: Stream) -> tuple[str, ...]:
    """The columns that Delta statistics are kept of: what reads prune and plan by."""
    names = ("account", *stream.entity, *stream.key, stream.time, *stream.identity, *RECEIVED_ORDER)
    return tuple(dict.fromkeys(names))


def _with_statistics(stream: Stream, have: Collection[str]) -> Iterator[str]:
    """`statistics_columns`, each under every name that the table has for it: older files have the older ones."""
    for name in statistics_columns(stream):
        yield from (each for each in (name, *former_names(stream, name)) if each in have)


def suffix(number: int) -> str:
    """The end of the names of files of a schema."""
    return ".parquet" if number == FIRST else f"-s{number}.parquet"


def follow(stream: Stream, handle: DeltaTable) -> bool:
    """Take one step that brings a table to the declared columns; False where nothing is left to do.

    Each step is one commit of metadata alone, made on the handle it was decided by: of two processes one loses and
    looks again. The list of columns comes first, so that a process that dies between the steps leaves a table that
    the next one completes and that an older program refuses.
    """
    history = SchemaHistory.of(stream, handle)
    have = {field.name for field in handle.schema().fields}
    missing = [field for field in stream.stored_schema if field.name not in have]
    statistics = ",".join(_with_statistics(stream, have))
    try:
        if not history.current:
            handle.alter.set_table_properties(history.properties, raise_if_not_exists=False)
        elif history.declared < stream.version:  # of a new table, or of a version that has the same columns
            handle.alter.set_table_properties({_DECLARED: str(stream.version)}, raise_if_not_exists=False)
        elif missing:
            handle.alter.add_columns(Schema.from_arrow(pa.schema(missing)).fields)
        elif handle.metadata().configuration.get(STATISTICS) != statistics:
            handle.alter.set_table_properties({STATISTICS: statistics})
        else:
            return False
    except CommitFailedError:
        return True  # another process changed the table; look again
    return True
