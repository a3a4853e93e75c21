"""An answer as JSON, CSV, NDJSON, Parquet or Arrow stream, chosen by `Accept`."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from airtally.api.query.body import AnswerFormat
from airtally.api.query.result import QueryResult
from airtally.kit.errors import NotAcceptable
from airtally.query.narrow import plain_rows

#: The first is the answer's own; in the order of preference where a client has none.
MEDIA_TYPES: Mapping[AnswerFormat, tuple[str, ...]] = {
    AnswerFormat.JSON: ("application/json",),
    AnswerFormat.CSV: ("text/csv",),
    AnswerFormat.NDJSON: ("application/x-ndjson", "application/jsonl", "application/ndjson"),
    AnswerFormat.PARQUET: ("application/vnd.apache.parquet",),
    AnswerFormat.ARROW: ("application/vnd.apache.arrow.stream",),
}
_QUALITY = re.compile(r"(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")


def accepted_format(accept: str) -> AnswerFormat:
    """The format that a header `Accept` (RFC 9110) prefers; JSON without one. Raises NotAcceptable."""
    ranges = dict(_media_ranges(accept))
    if not ranges:
        return AnswerFormat.JSON
    best, found = 0.0, None
    for form, names in MEDIA_TYPES.items():
        quality = max(_quality_of(name, ranges) for name in names)
        if quality > best:
            best, found = quality, form
    if found is None:
        raise NotAcceptable(
            "The answer cannot be written in any type that `Accept` takes.",
            hint="The types are: " + ", ".join(names[0] for names in MEDIA_TYPES.values()),
        )
    return found


def _media_ranges(accept: str) -> list[tuple[str, float]]:
    """Ranges with their quality; one that cannot be read is left out."""
    found = []
    for part in accept.split(","):
        name, *parameters = (each.strip().lower() for each in part.split(";"))
        qualities = [each[2:].strip() for each in parameters if each.startswith("q=")] or ["1"]
        if "/" in name and _QUALITY.fullmatch(qualities[0]):
            found.append((name, float(qualities[0])))
    return found


def _quality_of(name: str, ranges: Mapping[str, float]) -> float:
    """That of the most specific range."""
    for each in (name, f"{name.partition('/')[0]}/*", "*/*"):
        if each in ranges:
            return ranges[each]
    return 0.0


def written(result: QueryResult, form: AnswerFormat, meta: Mapping[str, Any]) -> bytes:
    """The body; only that of JSON has `meta`, which the headers of all formats tell too."""
    return _WRITERS[form](result, meta)


def _json_body(result: QueryResult, meta: Mapping[str, Any]) -> bytes:
    quality = {name: meta[name] for name in ("data_through", "generated_at", "timezone")}
    body = {"rows": _plain_rows_of(result), "next": result.next, **quality, "meta": meta}
    return msgspec.json.encode(body)


def _csv_body(result: QueryResult, _: Mapping[str, Any]) -> bytes:
    """As RFC 4180 has it, lines ended by a line feed alone; a null is empty, an empty text is `""`."""
    out = io.BytesIO()
    pa_csv.write_csv(_with_times_as_text(result), out, pa_csv.WriteOptions(quoting_style="needed"))
    return out.getvalue()


def _ndjson_body(result: QueryResult, _: Mapping[str, Any]) -> bytes:
    return msgspec.json.Encoder().encode_lines(_plain_rows_of(result))


def _parquet_body(result: QueryResult, _: Mapping[str, Any]) -> bytes:
    out = io.BytesIO()
    pq.write_table(_with_times(result), out, compression="zstd")
    return out.getvalue()


def _arrow_body(result: QueryResult, _: Mapping[str, Any]) -> bytes:
    out, table = io.BytesIO(), _with_times(result)
    with pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table)
    return out.getvalue()


_WRITERS: dict[AnswerFormat, Callable[[QueryResult, Mapping[str, Any]], bytes]] = {
    AnswerFormat.JSON: _json_body,
    AnswerFormat.CSV: _csv_body,
    AnswerFormat.NDJSON: _ndjson_body,
    AnswerFormat.PARQUET: _parquet_body,
    AnswerFormat.ARROW: _arrow_body,
}


def _plain_rows_of(result: QueryResult) -> list[dict[str, Any]]:
    return plain_rows(_with_times_as_text(result))


def _with_times(result: QueryResult) -> pa.Table:
    """Times as timestamps in the zone asked for; local ones without a zone."""
    table = result.table
    kind = pa.timestamp("us") if result.plan.local else pa.timestamp("us", str(result.plan.zone))
    for index, each in enumerate(result.plan.columns):
        if each.kind == "time":
            table = table.set_column(index, each.name, table.column(index).cast(pa.int64()).cast(kind))
    return table


def _with_times_as_text(result: QueryResult) -> pa.Table:
    table = result.table
    for index, each in enumerate(result.plan.columns):
        if each.kind == "time":
            values = table.column(index).to_pylist()
            texts = {at: result.plan.time_text(at) for at in set(values)}
            table = table.set_column(index, each.name, pa.array([texts[at] for at in values], pa.string()))
    return table
