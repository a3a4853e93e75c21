"""Tables as bodies of requests, through Arrow: pyarrow, Polars, pandas, DuckDB and all that gives an Arrow stream.

Neither pandas nor Polars is imported here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from airtally.client.batches import BatchSize, EncodedBatch

ARROW = "application/vnd.apache.arrow.stream"


class TableBatcher:
    """Tables as Arrow streams, cut by rows and by bytes in memory. Where a schema differs, a new batch begins."""

    def __init__(self, size: BatchSize) -> None:
        self._size = size
        self._number = self._first = 0
        self._waiting: list[pa.RecordBatch] = []
        self._rows = self._bytes = 0  # of those waiting

    def feed(self, rows: Any) -> Iterator[EncodedBatch]:
        for batch in record_batches(rows):
            if self._waiting and self._waiting[0].schema != batch.schema:
                yield from self.finish()
            left = batch
            while left.num_rows:
                taken = left.slice(0, self._room(left))
                if not taken.num_rows:
                    yield from self.finish()
                    continue
                left = left.slice(taken.num_rows)
                self._waiting.append(taken)
                self._rows += taken.num_rows
                self._bytes += taken.nbytes

    def finish(self) -> Iterator[EncodedBatch]:
        if not self._waiting:
            return
        table = pa.Table.from_batches(self._waiting).combine_chunks()
        batch = EncodedBatch(self._number, self._first, self._rows, ARROW, _as_stream(table))
        self._number, self._first = self._number + 1, self._first + self._rows
        self._waiting, self._rows, self._bytes = [], 0, 0
        yield batch

    def _room(self, left: pa.RecordBatch) -> int:
        """Rows that fit the current batch, by their mean size; 0 if it is full, at least one of an empty batch."""
        mean = max(left.nbytes / left.num_rows, 1.0)
        fit = min(self._size.rows - self._rows, int((self._size.bytes - self._bytes) / mean))
        return max(fit, 0 if self._waiting else 1)


def cut_table(body: bytes, rows: int) -> tuple[bytes, bytes]:
    """The first so many rows of a stream that `TableBatcher` made, and the others."""
    with pa.ipc.open_stream(body) as reader:
        table = reader.read_all()
    return _as_stream(table.slice(0, rows)), _as_stream(table.slice(rows))


def _as_stream(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema.remove_metadata()) as writer:
        writer.write_table(table.replace_schema_metadata())
    written: bytes = sink.getvalue().to_pybytes()
    return written


def record_batches(rows: Any) -> Iterator[pa.RecordBatch]:
    """The batches of a table of any library. An index of pandas is left out; NaN in pandas is null."""
    if type(rows).__module__.partition(".")[0] == "pandas":
        rows = pa.Table.from_pandas(rows, preserve_index=False)
    if hasattr(rows, "__arrow_c_stream__"):
        yield from pa.RecordBatchReader.from_stream(rows)
    else:
        yield pa.record_batch(rows)
