"""How the units of an export are read, and what its files are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa

from airtally.engine.protocol import Engine
from airtally.exports.cells import header_of
from airtally.exports.figures import figures_as_columns, figures_as_text, figures_header, figures_schema
from airtally.exports.lane_writer import LaneSource
from airtally.exports.lanes import ReadUnit, RenderJob
from airtally.exports.part_files import ParquetPart, PartFile, TextPart
from airtally.exports.spec import ExportFormat
from airtally.exports.statements import rows_statement
from airtally.exports.wanted import WantedFigures, WantedRows, WantedStatement
from airtally.query.lines import bytes_of
from airtally.sql.statement import Statement
from airtally.storage.lake.snapshot import Snapshot
from airtally.streams.declaration import Type

#: What is written at once: in Parquet a row group.
STEP_ROWS = {ExportFormat.CSV: 20_000, ExportFormat.NDJSON: 20_000, ExportFormat.PARQUET: 120_000}


def source_of(job: RenderJob, engine: Engine) -> LaneSource:
    wanted, statement = job.wanted, statement_of(job, engine)

    def read(unit: ReadUnit, skip: int) -> Iterator[pa.RecordBatch]:
        return engine.stream(statement(unit, skip))

    ordered = isinstance(wanted, WantedRows) and not wanted.is_events
    assert not isinstance(wanted, WantedStatement)  # noqa: S101 (the engine runs none)
    new_file = _rows_file(job, wanted) if isinstance(wanted, WantedRows) else _figures_file(job, wanted)
    return LaneSource(read, new_file, ordered=ordered, step_rows=STEP_ROWS[job.form])


def statement_of(job: RenderJob, engine: Engine) -> Callable[[ReadUnit, int], Statement]:
    """What reads a unit of the job, behind so many of its rows."""
    wanted, reads, capabilities = job.wanted, job.reads, engine.capabilities
    if isinstance(reads, Statement):
        return lambda _unit, _skip: reads
    assert isinstance(wanted, WantedRows)  # noqa: S101 (figures come by a statement)
    assert isinstance(reads, Snapshot)  # noqa: S101 (rows are read from one)
    return lambda unit, skip: rows_statement(wanted, unit.of(reads), capabilities, job.form, skip=skip)


def rows_schema(wanted: WantedRows) -> pa.Schema:
    """The types in Parquet: times as UTC microseconds, local ones without a zone."""
    kinds = [(name, wanted.stream.by_name[name].type) for name in wanted.columns]
    local = pa.timestamp("us")
    return pa.schema([pa.field(name, local if kind is Type.LOCAL_TIME else kind.arrow) for name, kind in kinds])


def _rows_file(job: RenderJob, wanted: WantedRows) -> Callable[[Path], PartFile]:
    def new_file(path: Path) -> PartFile:
        if job.form is ExportFormat.PARQUET:
            schema = rows_schema(wanted)
            return ParquetPart(path, job.compression, schema, lambda batch: batch.cast(schema))
        header = header_of(wanted.columns, job.form)
        return TextPart(path, job.compression, header, lambda batch: bytes_of(batch.column(0)))

    return new_file


def _figures_file(job: RenderJob, wanted: WantedFigures) -> Callable[[Path], PartFile]:
    def new_file(path: Path) -> PartFile:
        if job.form is ExportFormat.PARQUET:
            return ParquetPart(path, job.compression, figures_schema(wanted), figures_as_columns(wanted))
        header = figures_header(wanted, job.form)
        return TextPart(path, job.compression, header, figures_as_text(wanted, job.form))

    return new_file
