"""Rows that the program makes itself, from calls of a vendor's API: judged like those that are sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pyarrow as pa

from airtally.ingest.checked import Checked
from airtally.ingest.validate import check
from airtally.kit.errors import Unprocessable
from airtally.streams.declaration import Column, Stream, Type

#: Values by column; what is absent is null. Times are microseconds since epoch, JSON columns hold plain values.
RowValues = Mapping[str, Any]

_encode = msgspec.json.Encoder(order="sorted").encode


class InvalidRow(Unprocessable):
    """A row that its stream does not take. `field` is null where the row as a whole is wrong."""

    def __init__(self, field: str | None, error: str) -> None:
        super().__init__(f"{field}: {error}" if field else error)
        self.field = field


def made_rows(stream: Stream, rows: Sequence[RowValues]) -> Checked:
    """JSON values must be what their column declares; all else is checked."""
    wire = {column.name: _array(column, [row.get(column.name) for row in rows]) for column in stream.columns}
    return check(stream, wire, len(rows), canonical=True)


def _array(column: Column, values: list[Any]) -> pa.Array:
    if column.type is Type.JSON:
        values = [None if value is None else _encode(value).decode() for value in values]
    return pa.array(values, column.type.arrow)


def require_all(checked: Checked) -> Checked:
    """Raises InvalidRow for the first row that is wrong."""
    if checked.errors:
        raise InvalidRow(checked.errors[0].field, checked.errors[0].error)
    return checked
