"""Builds columns of generated rows, and writes tables to files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import ipc

from airtally.demo.chance import Flags, Ints, draws
from airtally.kit.time import to_datetime
from airtally.streams.declaration import Stream, Type

_ROW_GROUP = 500_000
_UTC = pa.timestamp("us", "UTC")


def iso_millis(us: int) -> str:
    """`2026-11-02T09:15:00.250+00:00`."""
    return to_datetime(us).isoformat(timespec="milliseconds")


def picked(places: Ints, values: Sequence[str] | pa.Array) -> pa.DictionaryArray:
    """The value at each index, dictionary-encoded."""
    names = values if isinstance(values, pa.Array) else pa.array(values, pa.string())
    return pa.DictionaryArray.from_arrays(pa.array(places.astype(np.int32)), names)


def some(places: Ints, values: Sequence[str] | pa.Array, there: Flags) -> pa.DictionaryArray:
    """The same as `picked`, with nulls where `there` is false."""
    names = values if isinstance(values, pa.Array) else pa.array(values, pa.string())
    return pa.DictionaryArray.from_arrays(pa.array(places.astype(np.int32), mask=~there), names)


def some_ids(head: str, numbers: Ints, there: Flags) -> pa.Array:
    """`head-number`, or null where `there` is false."""
    texts = pc.binary_join_element_wise(head, pa.array(numbers[there]).cast(pa.string()), "-")
    places = np.cumsum(there) - 1
    return texts.take(pa.array(places, mask=~there))


def same(count: int, value: str) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, np.int32)), pa.array([value]))


def joined(head: str, *numbers: Ints) -> pa.Array:
    """Texts such as `head-1-2`, from a head and a number of each array."""
    return pc.binary_join_element_wise(head, *(pa.array(each).cast(pa.string()) for each in numbers), "-")


def uuids(numbers: Ints, *names: object) -> pa.Array:
    """A UUID for each number; the same names give the same UUIDs."""
    salt = np.uint64(draws(*names).integers(2**63))
    mixed = np.stack([_mixed(numbers.astype(np.uint64) + salt), _mixed(numbers.astype(np.uint64) ^ salt)], axis=1)
    octets = mixed.view(np.uint8).reshape(len(numbers), 16).copy()
    octets[:, 6] = octets[:, 6] & 0x0F | 0x40
    octets[:, 8] = octets[:, 8] & 0x3F | 0x80
    text = np.full((len(numbers), 36), ord("-"), np.uint8)
    text[:, _HEX_PLACES] = _HEX[np.stack([octets >> 4, octets & 15], axis=2).reshape(len(numbers), 32)]
    ends = np.arange(len(numbers) + 1, dtype=np.int32) * 36
    return pa.StringArray.from_buffers(len(numbers), pa.py_buffer(ends), pa.py_buffer(text))


_HEX = np.frombuffer(b"0123456789abcdef", np.uint8)
_HEX_PLACES = [place for place in range(36) if place not in {8, 13, 18, 23}]


def _mixed(numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The finalizer of SplitMix64, a hash of each number."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))


def moments(micros: Ints) -> pa.Array:
    """UTC timestamps from microseconds since 1970."""
    return pa.array(micros.astype(np.int64, copy=False)).view(_UTC)


def money(micros: Ints, there: Flags) -> pa.Array:
    """decimal(18,6) from millionths, null where `there` is false."""
    held = np.empty((len(micros), 2), np.int64)
    held[:, 0], held[:, 1] = micros, micros >> 63
    known = pa.py_buffer(np.packbits(there, bitorder="little").tobytes())
    return pa.Array.from_buffers(Type.DECIMAL.arrow, len(micros), [known, pa.py_buffer(held)])


def table(stream: Stream, columns: Mapping[str, pa.Array]) -> pa.Table:
    """A table of the given columns in the stream's order."""
    names = [column.name for column in stream.columns if column.name in columns]
    return pa.Table.from_arrays([columns[name] for name in names], names=names)


def plain(stream: Stream, made: pa.Table) -> pa.Table:
    """A generated table in the stream's row schema, without dictionaries."""
    columns = [
        made.column(field.name).cast(field.type)
        if field.name in made.schema.names
        else pa.nulls(made.num_rows, field.type)
        for field in stream.row_schema
    ]
    return pa.Table.from_arrays(columns, schema=stream.row_schema)


def write(path: Path, tables: Iterable[pa.Table]) -> int:
    """Write tables of one schema to a .parquet, .arrow, .ndjson or .ndjson.gz file. Returns the number of rows."""
    feed = iter(tables)
    first = next(feed)
    counted = _Counted(chain([first], feed))
    if path.suffix == ".parquet":
        _write_parquet(path, first.schema, counted)
    elif path.suffix == ".arrow":
        with ipc.new_file(path, _held_once(first.schema)) as file:
            for each in counted:
                file.write_table(_without_dictionaries(each))
    else:
        _write_json(path, first.schema, counted)
    return counted.rows


class _Counted:
    def __init__(self, tables: Iterator[pa.Table]) -> None:
        self._tables = tables
        self.rows = 0

    def __iter__(self) -> Iterator[pa.Table]:
        for each in self._tables:
            self.rows += each.num_rows
            yield each


def _write_parquet(path: Path, schema: pa.Schema, tables: Iterable[pa.Table]) -> None:
    """Write row groups of at least `_ROW_GROUP` rows, joining smaller tables."""
    texts = [field.name for field in schema if pa.types.is_dictionary(field.type)]
    with pq.ParquetWriter(path, schema, compression="snappy", use_dictionary=texts, store_schema=False) as file:
        waiting: list[pa.Table] = []
        for each in tables:
            waiting.append(each)
            if sum(part.num_rows for part in waiting) >= _ROW_GROUP:
                file.write_table(pa.concat_tables(waiting).unify_dictionaries())
                waiting = []
        if waiting:
            file.write_table(pa.concat_tables(waiting).unify_dictionaries())


def _held_once(schema: pa.Schema) -> pa.Schema:
    """The schema without dictionaries: an Arrow file can have only one dictionary per column."""
    return pa.schema([(f.name, f.type.value_type if pa.types.is_dictionary(f.type) else f.type) for f in schema])


def _without_dictionaries(made: pa.Table) -> pa.Table:
    return made.cast(_held_once(made.schema))


def _write_json(path: Path, schema: pa.Schema, tables: Iterable[pa.Table]) -> None:
    held = _held_once(schema)
    batches = (batch for each in tables for batch in _without_dictionaries(each).to_batches())
    columns = ", ".join(_as_json(field) for field in held)
    packed = ", COMPRESSION gzip" if path.suffix == ".gz" else ""
    with duckdb.connect(":memory:") as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("made", pa.RecordBatchReader.from_batches(held, batches))
        connection.execute(f"COPY (SELECT {columns} FROM made) TO '{path}' (FORMAT json{packed})")  # noqa: S608


def _as_json(field: pa.Field) -> str:
    if pa.types.is_timestamp(field.type):
        return f"strftime({field.name}, '%Y-%m-%dT%H:%M:%S.%fZ') AS {field.name}"
    if field.name in {"attributes", "value"}:
        return f"{field.name}::JSON AS {field.name}"
    return str(field.name)
