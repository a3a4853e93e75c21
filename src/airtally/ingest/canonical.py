"""The one form in which refused rows are kept to be sent again: a JSON object, as NDJSON has it, whatever they came from."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airtally.ingest.convert import convert
from airtally.ingest.json_rows import encoded_rows
from airtally.ingest.kinds import is_text
from airtally.streams.declaration import Column, Stream, Type

#: Of a row with a value that no JSON stands for, such as bytes for a text: it cannot be sent again.
NONE = b""


class _NoForm(Exception):
    """A value that no JSON stands for."""


def rows_as_sent(stream: Stream, wire: Mapping[str, pa.Array]) -> list[bytes]:
    """Rows of columns as they were sent. Each value that fits its column has the form of it, so that it is taken
    when it is sent again; another stays what it was, and is judged again. What was not sent is left out.
    """
    columns = {name: _sent(stream.by_name.get(name), array) for name, array in wire.items()}
    return _objects(columns, len(next(iter(wire.values()), ())))


def rows_as_checked(stream: Stream, rows: pa.Table) -> list[bytes]:
    """Rows of `row_schema`, which were refused for what only the server knows."""
    columns = {column.name: _values(column, rows.column(column.name).combine_chunks()) for column in stream.columns}
    return _objects(columns, rows.num_rows)


def _objects(columns: Mapping[str, list[Any]], count: int) -> list[bytes]:
    """What is None is left out."""
    without: set[int] = set()
    for values in columns.values():
        if _NoForm in values:
            without.update(row for row, value in enumerate(values) if value is _NoForm)
    for values in columns.values():
        for row in without:
            values[row] = None
    rows = encoded_rows(columns, count)
    for row in without:
        rows[row] = NONE
    return rows


def _sent(column: Column | None, array: pa.Array) -> list[Any]:
    """JSON values, None where nothing was sent, `_NoForm` where no JSON stands for what was."""
    values: list[Any] = [None] * len(array)
    if column is not None:
        fitting = convert(column, array)[0]
        values = _values(column, fitting)
        if fitting.null_count == array.null_count:
            return values
    plain = array.to_pylist() if _is_plain(array.type) else None
    for row, there in enumerate(array.is_valid().to_pylist()):
        if there and values[row] is None:
            values[row] = _misfit(column, array, row) if plain is None else plain[row]
    return values


def _is_plain(sent: pa.DataType) -> bool:
    """Whether a column's values are JSON's own."""
    return is_text(sent) or pa.types.is_integer(sent) or pa.types.is_boolean(sent)


def _values(column: Column, array: pa.Array) -> list[Any]:
    if pa.types.is_timestamp(array.type):
        return _times(array, "" if column.type is Type.LOCAL_TIME else "Z")
    write = _WRITE.get(column.type)
    values: list[Any] = array.to_pylist()
    return values if write is None else [None if value is None else write(value) for value in values]


def _times(array: pa.Array, zone: str) -> list[str | None]:
    """As `isoformat` writes them: a fraction of six digits, or none."""
    there = array.is_valid().to_pylist()
    micros = pc.fill_null(array.view(pa.int64()), 0).to_numpy()
    texts = np.datetime_as_string(micros.astype("M8[us]")).tolist()
    return [
        text.removesuffix(".000000") + zone if is_there else None for text, is_there in zip(texts, there, strict=True)
    ]


def _misfit(column: Column | None, array: pa.Array, row: int) -> Any:
    """A value that does not fit its column, so that it does not when it is read as JSON either."""
    if column is not None and column.type is Type.JSON:
        return _NoForm
    try:
        return msgspec.Raw(json.dumps(_canonical_value(array[row].as_py()), allow_nan=False).encode())
    except (_NoForm, ValueError, TypeError, OverflowError, RecursionError, pa.ArrowException):
        return _NoForm


def _canonical_value(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, bytes):
        raise _NoForm
    return value


_WRITE: dict[Type, Callable[[Any], Any]] = {
    Type.DECIMAL: str,
    Type.JSON: lambda text: msgspec.Raw(text.encode()),
}
