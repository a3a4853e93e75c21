"""Rows that the program makes from calls of a vendor's API, checked like rows that are sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pyarrow as pa

from airtally.ingest.checked import Checked
from airtally.ingest.validate import check
from airtally.kit.errors import Unprocessable
from airtally.streams.declaration import Column, Stream, Type

#: Values by column; absent ones are null. Times are microseconds since 1970 UTC, JSON columns have plain values.
RowValues = Mapping[str, Any]

_encode = msgspec.json.Encoder(order="sorted").encode


class InvalidRow(Unprocessable):
    """A row that the stream refuses. `field` is None if the row as a whole is wrong."""

    def __init__(self, field: str | None, error: str) -> None:
        super().__init__(f"{field}: {error}" if field else error)
        self.field = field


def made_rows(stream: Stream, rows: Sequence[RowValues]) -> Checked:
    """Check rows. JSON values are not checked, and must be as their column declares."""
    wire = {column.name: _array(column, [row.get(column.name) for row in rows]) for column in stream.columns}
    return check(stream, wire, len(rows), canonical=True)


def size_of(rows: Sequence[RowValues]) -> int:
    """Bytes of the rows as JSON."""
    return sum(len(_encode(row)) for row in rows)


def _array(column: Column, values: list[Any]) -> pa.Array:
    if column.type is Type.JSON:
        values = [None if value is None else _encode(value).decode() for value in values]
    return pa.array(values, column.type.arrow)


def require_all(checked: Checked) -> Checked:
    """Returns the rows. Raises InvalidRow for the first wrong one."""
    if checked.errors:
        raise InvalidRow(checked.errors[0].field, checked.errors[0].error)
    return checked
