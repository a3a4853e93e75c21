"""Rows of an answer as CSV and NDJSON."""

from __future__ import annotations

import io

import msgspec
import pyarrow as pa
import pyarrow.csv as pa_csv

from airtally.query.durations import has_durations, with_duration_texts
from airtally.query.narrow import plain_rows


def as_plain(table: pa.Table) -> pa.Table:
    """With texts for what text formats have no value for: intervals, as ISO 8601 writes durations, and binary."""
    for index, field in enumerate(table.schema):
        if has_durations(field.type):
            table = table.set_column(index, field.name, with_duration_texts(table.column(index)))
        elif pa.types.is_binary(field.type):
            values = [None if each is None else str(each) for each in table.column(index).to_pylist()]
            table = table.set_column(index, field.name, pa.array(values, pa.string()))
    return table


def csv_text(table: pa.Table, *, header: bool = True) -> bytes:
    """As RFC 4180 has it, lines ended by a line feed alone; a null is empty, an empty text is `""`."""
    for index, field in enumerate(table.schema):
        if pa.types.is_nested(field.type):
            values = table.column(index).to_pylist()
            texts = [None if each is None else msgspec.json.encode(each).decode() for each in values]
            table = table.set_column(index, field.name, pa.array(texts, pa.string()))
    out = io.BytesIO()
    pa_csv.write_csv(table, out, pa_csv.WriteOptions(include_header=header, quoting_style="needed"))
    return out.getvalue()


def ndjson_text(table: pa.Table) -> bytes:
    return msgspec.json.Encoder().encode_lines(plain_rows(table))
