"""Parquet, Arrow streams and Arrow files of rows, right and with columns of types that nobody expects."""

from __future__ import annotations

import io
from contextlib import suppress
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import ipc

from airtally.streams.declaration import Stream, Type
from fuzz.chance import Chance
from fuzz.decoding.types import odd_array

Rows = list[dict[str, Any]]
_CODECS = ("none", "snappy", "gzip", "brotli", "lz4", "zstd")
#: From here on rows lie in large groups, as each group takes the decoders a millisecond.
_MANY = 100
_EMPTY_TABLE = pa.table({})


def parquet(chance: Chance, stream: Stream, rows: Rows, spoil: bool) -> tuple[bytes, int | None]:
    table = _table(chance, stream, rows, spoil=spoil)
    out = io.BytesIO()
    options: dict[str, Any] = {
        "compression": chance.choice(_CODECS),
        "row_group_size": chance.of(1, 2, 5, 1000, 1000) if table.num_rows < _MANY else 1000,
        "use_dictionary": chance.of(True, False),
        "data_page_version": chance.of("1.0", "2.0"),
        "version": chance.of("1.0", "2.6"),
        "write_page_index": chance.of(True, False),
        "store_schema": chance.of(True, False),
        "use_deprecated_int96_timestamps": chance.one_in(6),
    }
    try:
        pq.write_table(table, out, **options)
    except (pa.ArrowException, ValueError, OSError):  # a type that Parquet does not have
        table = _table(chance, stream, rows, spoil=False)
        out = io.BytesIO()
        pq.write_table(table, out)
    return out.getvalue(), table.num_rows


def arrow(chance: Chance, stream: Stream, rows: Rows, spoil: bool) -> tuple[bytes, int | None]:
    return _ipc(chance, _table(chance, stream, rows, spoil=spoil), as_file=False)


def feather(chance: Chance, stream: Stream, rows: Rows, spoil: bool) -> tuple[bytes, int | None]:
    return _ipc(chance, _table(chance, stream, rows, spoil=spoil), as_file=True)


def _ipc(chance: Chance, table: pa.Table, *, as_file: bool) -> tuple[bytes, int | None]:
    out = io.BytesIO()
    options = ipc.IpcWriteOptions(
        compression=chance.of(None, None, "lz4", "zstd"),
        metadata_version=chance.of(ipc.MetadataVersion.V5, ipc.MetadataVersion.V5, ipc.MetadataVersion.V4),
        emit_dictionary_deltas=chance.one_in(3),
        unify_dictionaries=as_file,
    )
    try:
        with (ipc.new_file if as_file else ipc.new_stream)(out, table.schema, options=options) as writer:
            writer.write_table(table, max_chunksize=chance.of(1, 3, 1000) if table.num_rows < _MANY else 1000)
    except (pa.ArrowException, ValueError):  # unions and the older metadata
        return b"", None
    return out.getvalue(), table.num_rows


def _table(chance: Chance, stream: Stream, rows: Rows, *, spoil: bool) -> pa.Table:
    names, arrays = [], []
    for column in stream.columns:
        values = [each.get(column.name) for each in rows]
        if any(value is not None for value in values):
            names.append(column.name)
            arrays.append(_array(column.type, values))
    if spoil:
        for _ in range(1 + chance.randrange(3)):
            with suppress(pa.ArrowException, ValueError, OverflowError):  # not every type has every form
                _edit(chance, names, arrays, len(rows))
    return pa.Table.from_arrays(arrays, names=names) if arrays else _EMPTY_TABLE


def _array(kind: Type, values: list[Any]) -> pa.Array:
    if kind in (Type.TIME, Type.LOCAL_TIME):
        zone = "UTC" if kind is Type.TIME else None
        return pa.array(
            [None if value is None else datetime.fromisoformat(value) for value in values], pa.timestamp("us", zone)
        )
    if kind in (Type.DOUBLE, Type.DECIMAL):
        return pa.array(values, pa.float64())
    return pa.array(values)


def _edit(chance: Chance, names: list[str], arrays: list[pa.Array], count: int) -> None:
    at = chance.randrange(len(names)) if names else 0
    kind = chance.randrange(8)
    if not names or kind == 0:
        names.append(chance.of("nothing", "", "day", "account", "x" * 5000, "\u0130", "a\0b", *names))
        arrays.append(odd_array(chance, count))
    elif kind == 1:
        del names[at], arrays[at]
    elif kind == 2:
        names[at] = chance.of(names[at].upper(), f" {names[at]}", names[0], "nothing")
    elif kind == 3 and count:
        arrays[at] = pa.array(
            [None if chance.one_in(2) else value for value in arrays[at].to_pylist()], arrays[at].type
        )
    elif kind == 4 and not pa.types.is_nested(arrays[at].type) and not pa.types.is_null(arrays[at].type):
        arrays[at] = arrays[at].cast(pa.string(), safe=False).dictionary_encode()
    else:
        arrays[at] = odd_array(chance, count)
