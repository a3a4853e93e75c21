"""The form in which refused rows are kept for resending: a JSON object, whatever format they came in."""

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

#: The form of a row with a value that JSON cannot express, such as bytes in place of text: it cannot be resent.
NONE = b""


class _NoForm(Exception):
    """A value that JSON cannot express."""


def rows_as_sent(stream: Stream, wire: Mapping[str, pa.Array]) -> list[bytes]:
    """Rows from columns as sent.

    A value that fits its column gets the column's form, so that it is accepted when resent; any other stays as it was,
    and is checked again. Missing values are left out.
    """
    columns = {name: _sent(stream.by_name.get(name), array) for name, array in wire.items()}
    return _objects(columns, len(next(iter(wire.values()), ())))


def rows_as_checked(stream: Stream, rows: pa.Table) -> list[bytes]:
    """Rows of `row_schema`, which `Admission` refused."""
    columns = {column.name: _values(column, rows.column(column.name).combine_chunks()) for column in stream.columns}
    return _objects(columns, rows.num_rows)


def _objects(columns: Mapping[str, list[Any]], count: int) -> list[bytes]:
    """JSON objects; None is left out."""
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
    """JSON values; None for a missing value, `_NoForm` for one that JSON cannot express."""
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
    """Whether Arrow's Python values of a type can be written as JSON unchanged."""
    return is_text(sent) or pa.types.is_integer(sent) or pa.types.is_boolean(sent)


def _values(column: Column, array: pa.Array) -> list[Any]:
    if pa.types.is_timestamp(array.type):
        return _times(array, "" if column.type is Type.LOCAL_TIME else "Z")
    write = _WRITE.get(column.type)
    values: list[Any] = array.to_pylist()
    return values if write is None else [None if value is None else write(value) for value in values]


def _times(array: pa.Array, zone: str) -> list[str | None]:
    """Times as `isoformat` writes them: with six fractional digits, or none."""
    there = array.is_valid().to_pylist()
    micros = pc.fill_null(array.view(pa.int64()), 0).to_numpy()
    texts = np.datetime_as_string(micros.astype("M8[us]")).tolist()
    return [
        text.removesuffix(".000000") + zone if is_there else None for text, is_there in zip(texts, there, strict=True)
    ]


def _misfit(column: Column | None, array: pa.Array, row: int) -> Any:
    """A value that does not fit its column, in a JSON form that does not fit either.

    A time in an unknown zone is an ArrowInvalid, or a KeyError where the library pytz is installed.
    """
    if column is not None and column.type is Type.JSON:
        return _NoForm
    try:
        return msgspec.Raw(json.dumps(_canonical_value(array[row].as_py()), allow_nan=False).encode())
    except (_NoForm, ValueError, KeyError, TypeError, OverflowError, RecursionError, pa.ArrowException):
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
