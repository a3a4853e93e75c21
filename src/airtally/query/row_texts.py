"""Rows of an answer as CSV and NDJSON."""

from __future__ import annotations

import io

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
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
    """As RFC 4180 has it, lines ended by a line feed alone; a null is empty, an empty text is `""`.

    Times are as in JSON: RFC 3339, with a fraction only where there is one.
    """
    for index, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            table = table.set_column(index, field.name, _time_texts(table.column(index)))
        elif pa.types.is_nested(field.type):
            values = table.column(index).to_pylist()
            texts = [None if each is None else msgspec.json.encode(each).decode() for each in values]
            table = table.set_column(index, field.name, pa.array(texts, pa.string()))
    out = io.BytesIO()
    pa_csv.write_csv(table, out, pa_csv.WriteOptions(include_header=header, quoting_style="needed"))
    return out.getvalue()


def _time_texts(times: pa.ChunkedArray) -> pa.ChunkedArray:
    """Arrow's texts (`2026-11-27 23:59:59.000000+0100`) as RFC 3339; also of years that Python has no times for."""
    texts = pc.replace_substring(times.cast(pa.string()), " ", "T", max_replacements=1)
    texts = pc.replace_substring_regex(texts, r"\.0+(Z|[+-]\d{4}|)$", r"\1")
    return pc.replace_substring_regex(texts, r"([+-]\d{2})(\d{2})$", r"\1:\2")


def ndjson_text(table: pa.Table) -> bytes:
    return msgspec.json.Encoder().encode_lines(plain_rows(table))
