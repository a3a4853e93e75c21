"""The forms that an answer's rows are written in, chosen by `Accept`."""

from __future__ import annotations

import io
from collections.abc import Callable
from enum import StrEnum

import msgspec
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from airtally.kit.errors import NotAcceptable
from airtally.query.narrow import plain_rows


class RowFormat(StrEnum):
    """The media types, the default first."""

    JSON = "application/json"
    CSV = "text/csv"
    NDJSON = "application/x-ndjson"
    PARQUET = "application/vnd.apache.parquet"
    ARROW = "application/vnd.apache.arrow.stream"


_ALIASES = {
    "application/*": RowFormat.JSON,
    "*/*": RowFormat.JSON,
    "text/*": RowFormat.CSV,
    "application/ndjson": RowFormat.NDJSON,
    "application/jsonl": RowFormat.NDJSON,
    "application/parquet": RowFormat.PARQUET,
    "application/x-parquet": RowFormat.PARQUET,
} | {str(each): each for each in RowFormat}


def accepted_format(accept: str) -> RowFormat:
    """The first of the most wanted media types of an `Accept` header. Raises NotAcceptable."""
    if not accept.strip():
        return RowFormat.JSON
    wanted = sorted(enumerate(accept.split(",")), key=lambda each: (-_quality(each[1]), each[0]))
    for _, entry in wanted:
        found = _ALIASES.get(entry.partition(";")[0].strip().lower())
        if found is not None and _quality(entry) > 0:
            return found
    raise NotAcceptable("Rows are written as " + ", ".join(RowFormat))


def _quality(entry: str) -> float:
    for parameter in entry.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def rows_as_json(table: pa.Table) -> list[dict[str, object]]:
    """The rows for an encoder: decimals as texts where they have digits after the point, times in RFC 3339."""
    return plain_rows(as_plain(table))


def written_rows(table: pa.Table, form: RowFormat) -> bytes:
    """The rows alone, in any form but JSON, whose rows stand in an object with the rest of the answer."""
    return _WRITERS[form](as_plain(table) if form in {RowFormat.CSV, RowFormat.NDJSON} else table)


def as_plain(table: pa.Table) -> pa.Table:
    """With texts for what text formats have no value for: intervals, times of day, binary, numbers that are none."""
    for index, field in enumerate(table.schema):
        if pa.types.is_duration(field.type) or pa.types.is_interval(field.type) or pa.types.is_binary(field.type):
            values = [None if each is None else str(each) for each in table.column(index).to_pylist()]
            table = table.set_column(index, field.name, pa.array(values, pa.string()))
    return table


def _csv(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    nested = [
        name for name, kind in zip(table.column_names, table.schema.types, strict=True) if pa.types.is_nested(kind)
    ]
    for name in nested:
        texts = [
            None if each is None else msgspec.json.encode(each).decode() for each in table.column(name).to_pylist()
        ]
        table = table.set_column(table.schema.get_field_index(name), name, pa.array(texts, pa.string()))
    pyarrow.csv.write_csv(table, sink)
    return sink.getvalue()


def _ndjson(table: pa.Table) -> bytes:
    return b"".join(msgspec.json.encode(row) + b"\n" for row in plain_rows(table))


def _parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def _arrow(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


_WRITERS: dict[RowFormat, Callable[[pa.Table], bytes]] = {
    RowFormat.CSV: _csv,
    RowFormat.NDJSON: _ndjson,
    RowFormat.PARQUET: _parquet,
    RowFormat.ARROW: _arrow,
}
