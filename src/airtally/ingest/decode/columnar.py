"""Parquet and Arrow: rows that come as columns."""

from __future__ import annotations

import base64
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as kind

from airtally.ingest.checked import Checked, joined
from airtally.ingest.decode.gather import bound_errors
from airtally.ingest.decode.limits import Limits
from airtally.ingest.validate import check
from airtally.kit.errors import BadRequest, TooLarge
from airtally.streams.declaration import Stream, Type

#: Rows checked in one go.
BATCH_ROWS = 50_000
#: Rows of a body; more can only be nulls.
_ROWS_MAX = 20_000_000
#: Rows around a wrong one that are rendered together when the one before was wrong too.
_TOGETHER = 64


def read_batches(stream: Stream, batches: Iterable[pa.RecordBatch], limits: Limits, *, first_row: int = 0) -> Checked:
    """The rows of batches whose content cannot be trusted.

    Raises BadRequest (a column no stream could have; too many wrong rows) and TooLarge.
    """
    source = Rows(stream, first_row)
    parts: list[Checked] = []
    wrong = unpacked = taken = 0
    for batch in _cut(batches):
        unpacked += unpacked_size(batch)
        if unpacked > limits.unpacked_max or taken > _ROWS_MAX:
            raise TooLarge(f"the body is over {limits.unpacked_max} bytes unpacked", hint="Send it in several batches.")
        wire = {name: _plain(array) for name, array in zip(batch.schema.names, batch.columns, strict=True)}
        source.add(pa.RecordBatch.from_arrays(list(wire.values()), names=list(wire)))
        parts.append(check(stream, wire, batch.num_rows, source, start=taken))
        taken += batch.num_rows
        wrong += len(parts[-1].errors)
        bound_errors(wrong, limits)
    return joined(stream.row_schema, parts, [], source)


def check_schema(schema: pa.Schema) -> None:
    """Raises BadRequest where there are no columns, for names given twice and for types that no column is read from."""
    names = schema.names
    if not names:
        raise BadRequest("the body has no columns")
    for field in schema:
        if names.count(field.name) > 1:
            raise BadRequest(f"the column {field.name[:128]} is there twice")
        if not _readable(field.type, deep=3):
            raise BadRequest(f"the column {field.name[:128]} has a type that is not read: {str(field.type)[:200]}")


def _cut(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        if batch.num_rows > _ROWS_MAX:
            raise TooLarge(f"a batch of {batch.num_rows} rows")
        for begin in range(0, batch.num_rows, BATCH_ROWS):
            yield batch.slice(begin, BATCH_ROWS)


def _readable(sent: pa.DataType, *, deep: int) -> bool:
    if kind.is_dictionary(sent):
        return _is_flat(sent.value_type)
    if kind.is_list(sent) or kind.is_large_list(sent):
        return deep > 0 and _readable(sent.value_type, deep=deep - 1)
    if kind.is_map(sent):
        return deep > 0 and _is_flat(sent.key_type) and _readable(sent.item_type, deep=deep - 1)
    if kind.is_struct(sent):
        return deep > 0 and all(_readable(sent.field(i).type, deep=deep - 1) for i in range(sent.num_fields))
    return _is_flat(sent)


def _is_flat(sent: pa.DataType) -> bool:
    flat = (kind.is_null, kind.is_boolean, kind.is_integer, kind.is_floating, kind.is_decimal)
    texts = (kind.is_string, kind.is_large_string, kind.is_string_view, kind.is_binary, kind.is_large_binary)
    moments = (kind.is_timestamp, kind.is_date, kind.is_time)
    return any(is_kind(sent) for is_kind in (*flat, *texts, *moments))


def unpacked_size(data: pa.RecordBatch | pa.Array) -> int:
    """Bytes of the values once every one stands for itself (a dictionary may name one value very often)."""
    if isinstance(data, pa.RecordBatch):
        return sum(map(unpacked_size, data.columns))
    if kind.is_dictionary(data.type):
        return _dictionary_size(data)
    if kind.is_struct(data.type):
        return sum(unpacked_size(data.field(i)) for i in range(data.type.num_fields))
    if kind.is_map(data.type):
        return unpacked_size(data.keys) + unpacked_size(data.items)
    nested = kind.is_list(data.type) or kind.is_large_list(data.type)
    return unpacked_size(data.flatten()) if nested else int(data.nbytes)


def _dictionary_size(data: pa.DictionaryArray) -> int:
    if not _has_text(data.dictionary.type):
        return 8 * len(data)
    return pc.sum(pc.take(pc.binary_length(data.dictionary), data.indices)).as_py() or 0


def _has_text(sent: pa.DataType) -> bool:
    return bool(
        kind.is_string(sent) or kind.is_large_string(sent) or kind.is_binary(sent) or kind.is_large_binary(sent)
    )


def _plain(array: pa.Array) -> pa.Array:
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if kind.is_dictionary(array.type):
        array = array.dictionary_decode()
    return pc.cast(array, pa.string()) if kind.is_string_view(array.type) else array


class Rows:
    """The source of rows that came as columns: gives a row as a JSON object, as it could be sent again."""

    def __init__(self, stream: Stream, first_row: int) -> None:
        self._json = {column.name for column in stream.columns if column.type is Type.JSON}
        self._first_row = first_row
        self._batches: list[pa.RecordBatch] = []
        self._starts: list[int] = []
        self._rows = 0
        self._ready: tuple[int, list[bytes]] = (0, [])
        self._last = -_TOGETHER

    def add(self, batch: pa.RecordBatch) -> None:
        self._batches.append(batch)
        self._starts.append(self._rows)
        self._rows += batch.num_rows

    def line(self, position: int) -> int:
        return self._first_row + position + 1

    def raw(self, position: int) -> bytes:
        begin, ready = self._ready
        if not begin <= position < begin + len(ready):
            size = _TOGETHER if position - self._last < _TOGETHER else 1
            index = bisect_right(self._starts, position) - 1
            ready = self._rendered(self._batches[index].slice(position - self._starts[index], size))
            self._ready = (position, ready)
        self._last = position
        return self._ready[1][position - self._ready[0]]

    def _rendered(self, batch: pa.RecordBatch) -> list[bytes]:
        columns = [self._values(name, array) for name, array in zip(batch.schema.names, batch.columns, strict=True)]
        rows = zip(*columns, strict=True)
        names = batch.schema.names
        return [
            msgspec.json.encode({name: value for name, value in zip(names, row, strict=True) if value is not None})
            for row in rows
        ]

    def _values(self, name: str, array: pa.Array) -> list[Any]:
        if kind.is_temporal(array.type):
            try:
                array = pc.cast(array, pa.string())
            except pa.ArrowException:  # a zone or a year that the library cannot print
                array = pc.cast(array.view(pa.int64()), pa.string())
        values = [_jsonable(value) for value in array.to_pylist()]
        return [_embedded(value) for value in values] if name in self._json else values


def _jsonable(value: Any) -> Any:
    if value is None or isinstance(value, str | int | bool):
        return value
    if isinstance(value, float):
        return value if abs(value) < float("inf") else str(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, list):
        pairs = value and all(isinstance(pair, tuple) for pair in value)
        return {str(key): _jsonable(each) for key, each in value} if pairs else [_jsonable(each) for each in value]
    if isinstance(value, dict):
        return {str(key): _jsonable(each) for key, each in value.items()}
    return str(value)


def _embedded(value: Any) -> Any:
    """JSON text as what it says."""
    if not isinstance(value, str):
        return value
    try:
        return msgspec.json.decode(value)
    except (msgspec.MsgspecError, RecursionError):
        return value
