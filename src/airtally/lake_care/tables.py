"""The lake's tables as operators name them, and what they show."""

from __future__ import annotations

from dataclasses import dataclass

from airtally.kit.errors import NotFound
from airtally.storage.lake import Lake, LakeTable
from airtally.storage.lake.damage import TableDamaged
from airtally.storage.lake.missing import give_up, missing
from airtally.storage.lake.status import TableStatus, status_of
from airtally.streams import STREAMS


@dataclass(frozen=True, slots=True)
class MissingFile:
    """A data file that a table names and that is gone. `given_up`: it was taken out of the table just now."""

    stream: str
    file: str
    rows: int
    given_up: bool = False


def check_stream(stream: str | None) -> None:
    """Raises NotFound for a name that no stream has; None is fine."""
    if stream is not None and stream not in STREAMS:
        raise NotFound(f"There is no stream {stream[:64]!r}", hint="The streams are: " + ", ".join(STREAMS))


def tables_named(lake: Lake, stream: str | None) -> list[LakeTable]:
    """The table of a stream, or all whose log can be read; those that exist. Raises NotFound and TableDamaged."""
    check_stream(stream)
    if stream is None:
        return lake.existing()
    table = lake.table(STREAMS[stream])
    return [table] if table.exists() else []


def damaged_tables(lake: Lake) -> list[TableDamaged]:
    """What is wrong with the tables whose log cannot be read."""
    found = []
    for table in lake.tables():
        try:
            table.exists()
        except TableDamaged as damaged:
            found.append(damaged)
    return found


def statuses(lake: Lake, stream: str | None) -> list[TableStatus]:
    """Raises NotFound."""
    found = (status_of(table) for table in tables_named(lake, stream))
    return [each for each in found if each is not None]


def missing_files(lake: Lake, stream: str | None) -> list[MissingFile]:
    """In the order of streams and names. Raises NotFound."""
    return [
        MissingFile(table.name, file.name, file.data.rows)
        for table in tables_named(lake, stream)
        for file in sorted(missing(table), key=lambda each: each.name)
    ]


def give_up_files(table: LakeTable) -> list[MissingFile]:
    """Take the missing files out of the table, so that the rest of it can be read. Their rows are lost."""
    return [MissingFile(table.name, file.name, file.data.rows, given_up=True) for file in give_up(table)]
