"""The formats that an answer's rows are written in, chosen by `Accept`: JSON, CSV, NDJSON, Parquet or an Arrow stream."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from enum import StrEnum

import pyarrow as pa
import pyarrow.parquet as pq

from airtally.kit.errors import NotAcceptable
from airtally.query.narrow import plain_rows
from airtally.query.row_texts import as_plain, csv_text, ndjson_text


class AnswerFormat(StrEnum):
    JSON = "json"
    CSV = "csv"
    NDJSON = "ndjson"
    PARQUET = "parquet"
    ARROW = "arrow"


#: The first is the answer's own; in the order of preference where a client has none.
MEDIA_TYPES: Mapping[AnswerFormat, tuple[str, ...]] = {
    AnswerFormat.JSON: ("application/json",),
    AnswerFormat.CSV: ("text/csv",),
    AnswerFormat.NDJSON: ("application/x-ndjson", "application/jsonl", "application/ndjson"),
    AnswerFormat.PARQUET: ("application/vnd.apache.parquet",),
    AnswerFormat.ARROW: ("application/vnd.apache.arrow.stream",),
}
#: The types that an answer can have.
ANSWER_TYPES = tuple(names[0] for names in MEDIA_TYPES.values())
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
            hint="The types are: " + ", ".join(ANSWER_TYPES),
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


def rows_as_json(table: pa.Table) -> list[dict[str, object]]:
    """The rows for an encoder: decimals as texts where they have digits after the point, times in RFC 3339."""
    return plain_rows(as_plain(table))


def written_rows(table: pa.Table, form: AnswerFormat) -> bytes:
    """The rows alone, in any form but JSON, whose rows stand in an object with the rest of the answer."""
    return _WRITERS[form](as_plain(table) if form in {AnswerFormat.CSV, AnswerFormat.NDJSON} else table)


def _parquet_body(table: pa.Table) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, compression="zstd")
    return out.getvalue()


def _arrow_body(table: pa.Table) -> bytes:
    out = io.BytesIO()
    with pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table)
    return out.getvalue()


_WRITERS: dict[AnswerFormat, Callable[[pa.Table], bytes]] = {
    AnswerFormat.CSV: csv_text,
    AnswerFormat.NDJSON: ndjson_text,
    AnswerFormat.PARQUET: _parquet_body,
    AnswerFormat.ARROW: _arrow_body,
}
