"""The one form in which refused rows are kept to be sent again: a JSON object, as NDJSON has it, whatever they came from."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pyarrow as pa

from airtally.ingest.convert import convert
from airtally.ingest.json_rows import encoded_rows
from airtally.kit.time import to_datetime
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
    fitting = [None] * len(array) if column is None else _values(column, convert(column, array)[0])
    valid = array.is_valid().to_pylist()
    return [
        None if not there else (value if value is not None else _misfit(column, array, row))
        for row, (there, value) in enumerate(zip(valid, fitting, strict=True))
    ]


def _values(column: Column, array: pa.Array) -> list[Any]:
    if pa.types.is_timestamp(array.type):
        array = array.view(pa.int64())
    write = _WRITE.get(column.type)
    values = array.to_pylist()
    return values if write is None else [None if value is None else write(value) for value in values]


def _misfit(column: Column | None, array: pa.Array, row: int) -> Any:
    """A value that does not fit its column, so that it does not when it is read as JSON either."""
    if column is not None and column.type is Type.JSON:
        return _NoForm
    try:
        return msgspec.Raw(json.dumps(_plain(array[row].as_py()), allow_nan=False).encode())
    except (_NoForm, ValueError, TypeError, OverflowError, RecursionError, pa.ArrowException):
        return _NoForm


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, bytes):
        raise _NoForm
    return value


def _time(us: int) -> str:
    return to_datetime(us).isoformat().replace("+00:00", "Z")


def _local_time(us: int) -> str:
    return to_datetime(us).isoformat().removesuffix("+00:00")


_WRITE: dict[Type, Callable[[Any], Any]] = {
    Type.TIME: _time,
    Type.LOCAL_TIME: _local_time,
    Type.DECIMAL: str,
    Type.JSON: lambda text: msgspec.Raw(text.encode()),
}
