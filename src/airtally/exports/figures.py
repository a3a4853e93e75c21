"""Answers to questions as the rows of files: the columns and their values as `POST /api/v1/query` writes them."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from airtally.exports.spec import ExportFormat
from airtally.exports.wanted import FigureKind, WantedFigures
from airtally.kit.errors import Unprocessable
from airtally.kit.time import to_datetime
from airtally.query.narrow import narrowed
from airtally.query.row_texts import csv_text, ndjson_text

_ARROW = {FigureKind.INTEGER: pa.int64(), FigureKind.NUMBER: pa.float64(), FigureKind.TEXT: pa.string()}


def figures_schema(wanted: WantedFigures) -> pa.Schema:
    """The types in Parquet: whole numbers as int64, times as timestamps in the question's zone, local ones without."""
    times = pa.timestamp("us") if wanted.local else pa.timestamp("us", str(wanted.zone))
    return pa.schema([pa.field(each.name, _ARROW.get(each.kind, times)) for each in wanted.columns])


def figures_header(wanted: WantedFigures, form: ExportFormat) -> bytes:
    return csv_text(figures_schema(wanted).empty_table()) if form is ExportFormat.CSV else b""


def figures_as_text(wanted: WantedFigures, form: ExportFormat) -> Callable[[pa.RecordBatch], bytes]:
    """Writes batches of the question's answer."""

    def write(batch: pa.RecordBatch) -> bytes:
        _check_finite(batch)
        table = narrowed(pa.Table.from_batches([batch]))
        columns = [
            _times_as_text(wanted, table.column(each.source)) if each.kind is FigureKind.TIME else table[each.source]
            for each in wanted.columns
        ]
        shown = pa.table(columns, names=[each.name for each in wanted.columns])
        return csv_text(shown, header=False) if form is ExportFormat.CSV else ndjson_text(shown)

    return write


def figures_as_columns(wanted: WantedFigures) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
    """Turns batches of the question's answer into such of `figures_schema`; raises Unprocessable for too large a sum."""
    schema = figures_schema(wanted)

    def convert(batch: pa.RecordBatch) -> pa.RecordBatch:
        _check_finite(batch)
        sources = [batch.column(each.source) for each in wanted.columns]
        try:
            columns = [_cast(values, field.type) for values, field in zip(sources, schema, strict=True)]
        except pa.ArrowInvalid:
            raise Unprocessable("A sum does not fit into 64 bits", hint="Export it as CSV or NDJSON.") from None
        return pa.RecordBatch.from_arrays(columns, schema=schema)

    return convert


def _check_finite(batch: pa.RecordBatch) -> None:
    for name, values in zip(batch.schema.names, batch.columns, strict=True):
        if pa.types.is_floating(values.type) and not pc.all(pc.is_finite(values), min_count=0).as_py():
            raise Unprocessable(f"{name[:64]} is beyond the largest number that a double holds")


def _cast(values: pa.Array, kind: pa.DataType) -> pa.Array:
    return values.cast(pa.int64()).cast(kind) if pa.types.is_timestamp(kind) else values.cast(kind)


def _times_as_text(wanted: WantedFigures, moments: pa.ChunkedArray) -> pa.Array:
    """RFC 3339, with the offset that the zone has then; local times without one."""
    values = moments.to_pylist()
    texts = {at: _time_text(wanted, at) for at in set(values)}
    return pa.array([texts[at] for at in values], pa.string())


def _time_text(wanted: WantedFigures, at_us: int) -> str:
    at = to_datetime(at_us)
    return at.replace(tzinfo=None).isoformat() if wanted.local else at.astimezone(wanted.zone).isoformat()
