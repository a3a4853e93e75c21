"""Shared by Parquet and Arrow, whose rows come as columns."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as kind

from airtally.ingest.checked import Checked, joined
from airtally.ingest.decode.gather import bound_errors
from airtally.ingest.decode.limits import DecodeLimits
from airtally.ingest.decode.structure import unpacked_size
from airtally.ingest.json_rows import encoded_rows
from airtally.ingest.kinds import is_text
from airtally.ingest.nested import Unreadable, json_values, plain_values
from airtally.ingest.row_errors import Ints
from airtally.ingest.validate import check
from airtally.kit.errors import TooLarge
from airtally.kit.fair import pause
from airtally.kit.sent_json import decode_sent
from airtally.streams.declaration import Stream, Type

#: Most rows checked in one step.
BATCH_ROWS = 50_000
#: Most bytes checked in one step.
_BYTES = 8 << 20
#: Most rows of a body; a body with more can hold nothing but nulls.
_ROWS_MAX = 20_000_000


def read_batches(
    stream: Stream, batches: Iterable[pa.RecordBatch], limits: DecodeLimits, *, first_row: int = 0
) -> Checked:
    """Check the rows of untrusted batches.

    Raises BadRequest for a column of an unsupported type or too many wrong rows, and TooLarge.
    """
    source = ColumnarRows(stream, first_row)
    parts: list[Checked] = []
    wrong = unpacked = taken = 0
    for whole in _slice_batches(batches):
        size = unpacked_size(whole)
        unpacked += size
        if unpacked > limits.unpacked_max or taken > _ROWS_MAX:
            raise TooLarge(f"the body is over {limits.unpacked_max} bytes unpacked", hint="Send it in several batches.")
        limits.holds(unpacked)
        for batch in _of_few_bytes(whole, size):
            pause()
            parts.append(_checked(stream, batch, source, taken))
            taken += batch.num_rows
            wrong += len(parts[-1].errors)
            bound_errors(wrong, limits)
    return joined(stream.row_schema, parts, [], source)


def _checked(stream: Stream, batch: pa.RecordBatch, source: ColumnarRows, start: int) -> Checked:
    wire = {name: _without_dictionary(array) for name, array in zip(batch.schema.names, batch.columns, strict=True)}
    source.add(pa.RecordBatch.from_arrays(list(wire.values()), names=list(wire)))
    broken = {name: found for name, array in wire.items() if (found := _not_utf8(array)) is not None}
    wire |= {name: pc.if_else(found, None, wire[name]) for name, found in broken.items()}
    return check(stream, wire, batch.num_rows, source, start=start, not_utf8=broken)


def _of_few_bytes(batch: pa.RecordBatch, size: int) -> Iterator[pa.RecordBatch]:
    """A batch of `size` bytes as slices of about 8 MiB."""
    rows = max(batch.num_rows * _BYTES // max(size, 1), 1)
    for begin in range(0, batch.num_rows, rows):
        yield batch.slice(begin, rows)


def _slice_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        if batch.num_rows > _ROWS_MAX:
            raise TooLarge(f"a batch of {batch.num_rows} rows")
        for begin in range(0, batch.num_rows, BATCH_ROWS):
            yield batch.slice(begin, BATCH_ROWS)


def _without_dictionary(array: pa.Array) -> pa.Array:
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if kind.is_dictionary(array.type):
        array = array.dictionary_decode()
    if kind.is_binary_view(array.type):
        return pc.cast(array, pa.binary())
    return array.cast(pa.string(), safe=False) if kind.is_string_view(array.type) else array


def _not_utf8(array: pa.Array) -> pa.Array | None:
    """A mask of the texts that are not UTF-8; None if all are."""
    if not is_text(array.type):
        return None
    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        return pa.array([isinstance(value, Unreadable) for value in plain_values(array)], pa.bool_())
    return None


class ColumnarRows:
    """The source of rows that came as columns: shows a row as a JSON object."""

    is_json = False

    def __init__(self, stream: Stream, first_row: int) -> None:
        self._json = {column.name for column in stream.columns if column.type is Type.JSON}
        self._first_row = first_row
        self._batches: list[pa.RecordBatch] = []
        self._starts: list[int] = [0]

    def add(self, batch: pa.RecordBatch) -> None:
        self._batches.append(batch)
        self._starts.append(self._starts[-1] + batch.num_rows)

    def lines(self, positions: Ints) -> Ints:
        return positions + self._first_row + 1

    def raws(self, lines: Sequence[int]) -> list[bytes]:
        positions = np.array(lines, dtype=np.int64) - self._first_row - 1
        cuts = np.searchsorted(positions, self._starts).tolist()
        return [
            raw
            for batch, start, begin, end in zip(self._batches, self._starts, cuts, cuts[1:], strict=False)
            if begin < end
            for raw in self._rendered(batch.take(pa.array(positions[begin:end] - start)))
        ]

    def _rendered(self, batch: pa.RecordBatch) -> list[bytes]:
        columns = {
            name: self._values(name, array) for name, array in zip(batch.schema.names, batch.columns, strict=True)
        }
        return encoded_rows(columns, batch.num_rows)

    def _values(self, name: str, array: pa.Array) -> list[Any]:
        shown = _moments(array)
        values: list[Any] = json_values(shown)
        if name not in self._json and _is_plain(shown):
            return values
        if is_text(array.type):
            values = [_mended(array, row) if isinstance(each, Unreadable) else each for row, each in enumerate(values)]
        values = [_jsonable(value) for value in values]
        return [_embedded(value) for value in values] if name in self._json else values


def _is_plain(array: pa.Array) -> bool:
    """Whether JSON can express all values of an array unchanged."""
    if kind.is_floating(array.type):
        return bool(pc.all(pc.is_finite(array), min_count=0).as_py())
    if is_text(array.type):
        return _not_utf8(array) is None
    return bool(kind.is_integer(array.type) or kind.is_boolean(array.type))


def _moments(array: pa.Array) -> pa.Array:
    """Times as text, or as a number if the library cannot write their zone or year."""
    if not kind.is_temporal(array.type) or kind.is_interval(array.type):
        return array
    try:
        texts = pc.cast(array, pa.string())
        if not pc.any(pc.starts_with(texts, "<")).as_py():  # <value out of range: …>
            return texts
    except pa.ArrowException:
        pass
    return array.view(pa.int32() if array.type.bit_width == 32 else pa.int64())


def _mended(texts: pa.Array, row: int) -> str:
    """Text that is not UTF-8, with replacement characters."""
    raw = texts.view(pa.large_binary() if kind.is_large_string(texts.type) else pa.binary())
    return bytes(raw[row].as_py()).decode(errors="replace")


def _jsonable(value: Any) -> Any:
    if value is None or isinstance(value, str | int | bool):
        return value
    if isinstance(value, float):
        return value if abs(value) < float("inf") else str(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, list):
        return [_jsonable(each) for each in value]
    if isinstance(value, dict):
        return {str(key): _jsonable(each) for key, each in value.items()}
    return value.reason if isinstance(value, Unreadable) else str(value)


def _embedded(value: Any) -> Any:
    """The value that a JSON text has; the text itself if it is invalid."""
    if not isinstance(value, str):
        return value
    try:
        return decode_sent(value)
    except (msgspec.MsgspecError, RecursionError):
        return value
