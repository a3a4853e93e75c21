"""Files with the answer to a caller's statement: its columns and their values as `POST /api/v1/sql` writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from airtally.exports.lanes import RenderJob
from airtally.exports.part_files import ParquetPart, PartFile, TextPart
from airtally.exports.spec import ExportFormat
from airtally.kit.errors import LimitExceeded, Unprocessable
from airtally.query.narrow import narrowed
from airtally.query.row_texts import as_plain, csv_text, ndjson_text
from airtally.query.sql_size import is_too_large


def answer_file(job: RenderJob, schema: pa.Schema) -> Callable[[Path], PartFile]:
    """Writes batches of the schema. The files raise Unprocessable for a value that they cannot hold."""

    def new_file(path: Path) -> PartFile:
        with _refusing_in_words(job.form):
            if job.form is ExportFormat.PARQUET:
                return ParquetPart(path, job.compression, schema, lambda batch: batch)
            csv = job.form is ExportFormat.CSV
            header = csv_text(as_plain(schema.empty_table())) if csv else b""
            return TextPart(path, job.compression, header, lambda batch: _as_text(batch, job.form))

    return new_file


def _as_text(batch: pa.RecordBatch, form: ExportFormat) -> bytes:
    table = narrowed(pa.Table.from_batches([batch]))
    if is_too_large(table):
        raise LimitExceeded("The rows of the answer are too wide to be written as text.", hint="Export it as Parquet.")
    with _refusing_in_words(form):
        shown = as_plain(table)
        return csv_text(shown, header=False) if form is ExportFormat.CSV else ndjson_text(shown)


@contextmanager
def _refusing_in_words(form: ExportFormat) -> Iterator[None]:
    """A year after 9999, an interval in Parquet."""
    try:
        yield
    except (OverflowError, ValueError, pa.ArrowException):
        raise Unprocessable(f"The answer has a value that {form} cannot hold", hint="Cast it to text.") from None
