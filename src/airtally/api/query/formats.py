"""The answer to a query in each format: JSON has its `meta`, the others have the rows alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pyarrow as pa

from airtally.api.formats import AnswerFormat, rows_as_json, written_rows
from airtally.api.query.result import QueryResult


def written(result: QueryResult, form: AnswerFormat, meta: Mapping[str, Any]) -> bytes:
    """The body; only that of JSON has `meta`, which the headers of all formats tell too."""
    if form is AnswerFormat.JSON:
        quality = {name: meta[name] for name in ("data_through", "generated_at", "timezone")}
        rows = rows_as_json(_with_times_as_text(result))
        return msgspec.json.encode({"rows": rows, "next": result.next, **quality, "meta": meta})
    texts = form in {AnswerFormat.CSV, AnswerFormat.NDJSON}
    return written_rows(_with_times_as_text(result) if texts else _with_times(result), form)


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
