"""Decodes Parquet bodies and files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from airtally.ingest import times
from airtally.ingest.checked import Checked
from airtally.ingest.decode.bodies import UnpackedBody
from airtally.ingest.decode.columnar import BATCH_ROWS, read_batches
from airtally.ingest.decode.limits import DecodeLimits
from airtally.ingest.decode.structure import check_schema, check_structure
from airtally.kit.errors import BadRequest, TooLarge
from airtally.streams.declaration import Stream

#: Rows in a chunk of a file.
CHUNK_ROWS = 250_000
#: Bytes read in one step.
_BYTES = 16 << 20
#: Seconds before or after 1970: beyond every valid time, and far from where microseconds wrap.
_FAR_S = 2 * times.LATEST_US // 1_000_000
_BROKEN = (pa.ArrowException, OSError, ValueError, MemoryError)


def read_parquet(stream: Stream, body: UnpackedBody, limits: DecodeLimits) -> Checked:
    """All rows of a body. Raises BadRequest if it is not Parquet, TooLarge if it unpacks to too much."""
    try:
        buffer = pa.BufferReader(body.whole())
        file = _open_parquet(buffer)
        _check_limits(file, limits)
        # texts stay dictionaries until their unpacked size is known
        batches = _batches(buffer, range(file.num_row_groups), read_dictionary=_byte_columns(file))
        return read_batches(stream, _sound(batches), limits)
    except _BROKEN as error:
        raise _not_parquet("the body", error) from None


def parquet_chunks(stream: Stream, path: Path, start: int, limits: DecodeLimits) -> Iterator[tuple[Checked, int]]:
    """The chunks of a file after row `start`."""
    with path.open("rb") as opened:
        file = _opened_file(opened, path)
        groups = [file.metadata.row_group(each).num_rows for each in range(file.num_row_groups)]
        first = skipped = 0
        while first < len(groups) and skipped + groups[first] <= start:
            skipped += groups[first]
            first += 1
        batches = _batches(opened, range(first, len(groups)))
        yield from batch_chunks(stream, _named(path.name, batches), limits, start=start, skipped=skipped)


def parquet_batches(opened: BinaryIO, path: Path) -> Iterator[pa.RecordBatch]:
    """All of a file. Raises BadRequest for other content."""
    file = _opened_file(opened, path)
    yield from _named(path.name, _batches(opened, range(file.num_row_groups)))


def _opened_file(opened: BinaryIO, path: Path) -> pq.ParquetFile:
    try:
        file = _open_parquet(opened)
        check_schema(file.schema_arrow)
    except _BROKEN as error:
        raise _not_parquet(path.name, error) from None
    return file


def _open_parquet(source: Any, unit: str = "us", **options: Any) -> pq.ParquetFile:
    return pq.ParquetFile(source, coerce_int96_timestamp_unit=unit, **options)


def _batches(source: Any, groups: Iterable[int], **options: Any) -> Iterator[pa.RecordBatch]:
    """The batches of some row groups. Raises what reading them raises.

    INT96 times are days and nanoseconds of 32 and 64 bits: in nanoseconds they wrap after 2262, in microseconds after
    the year 294247. As seconds they cannot wrap, so these say which of the microseconds are true.
    """
    file = _open_parquet(source, **options)
    rows = _rows_at_once(file)
    columns = [file.schema.column(index) for index in range(len(file.schema.names))]
    names = [column.name for column in columns if column.physical_type == "INT96" and column.path == column.name]
    reading = {"row_groups": list(groups), "use_threads": False}
    batches = file.iter_batches(rows, **reading)
    if not names:
        yield from batches
        return
    coarse = _open_parquet(source, "s").iter_batches(rows, columns=names, **reading)
    for batch, seconds in zip(batches, coarse, strict=True):
        for name in names:
            batch = batch.set_column(  # noqa: PLW2901
                batch.schema.get_field_index(name), name, _unwrapped(batch.column(name), seconds.column(name))
            )
        yield batch


def _rows_at_once(file: pq.ParquetFile) -> int:
    """The number of rows that take some MiB, by the metadata of their groups."""
    groups = [file.metadata.row_group(index) for index in range(file.num_row_groups)]
    widest = max((group.total_byte_size // max(group.num_rows, 1) for group in groups), default=0)
    return max(min(BATCH_ROWS, _BYTES // max(widest, 1)), 64)


def _unwrapped(micros: pa.Array, seconds: pa.Array) -> pa.Array:
    """Microseconds; times far out of range become a number that is out of range as well."""
    whole = seconds.view(pa.int64())
    near = pc.and_(pc.greater_equal(whole, -_FAR_S), pc.less(whole, _FAR_S))
    if pc.all(near, min_count=0).as_py():
        return micros
    return pc.if_else(near, micros, pa.scalar(2**63 - 1, pa.int64()).cast(micros.type))


def batch_chunks(
    stream: Stream, batches: Iterable[pa.RecordBatch], limits: DecodeLimits, *, start: int, skipped: int = 0
) -> Iterator[tuple[Checked, int]]:
    """Chunks that end at multiples of `CHUNK_ROWS`; the first row of `batches` has the number `skipped`."""
    position = skipped
    chunk: list[pa.RecordBatch] = []
    for batch in batches:
        begin = max(start - position, 0)
        position += batch.num_rows
        while begin < batch.num_rows:
            at = position - batch.num_rows + begin
            piece = batch.slice(begin, CHUNK_ROWS - at % CHUNK_ROWS)
            chunk.append(piece)
            begin += piece.num_rows
            if (at + piece.num_rows) % CHUNK_ROWS == 0:
                yield _chunk(stream, chunk, at + piece.num_rows, limits)
                chunk = []
    if chunk:
        yield _chunk(stream, chunk, position, limits)


def _chunk(stream: Stream, chunk: list[pa.RecordBatch], end: int, limits: DecodeLimits) -> tuple[Checked, int]:
    first = end - sum(batch.num_rows for batch in chunk)
    return read_batches(stream, chunk, limits, first_row=first), end


def _byte_columns(file: pq.ParquetFile) -> list[str]:
    """The paths of the columns whose values are bytes of any length."""
    columns = (file.schema.column(index) for index in range(len(file.schema.names)))
    return [column.path for column in columns if column.physical_type == "BYTE_ARRAY"]


def _check_limits(file: pq.ParquetFile, limits: DecodeLimits) -> None:
    check_schema(file.schema_arrow)
    sizes = [file.metadata.row_group(index).total_byte_size for index in range(file.num_row_groups)]
    if sizes and max(sizes) > limits.unpacked_max:
        raise TooLarge(f"the body is over {limits.unpacked_max} bytes unpacked")
    limits.holds(sum(sizes))


def _sound(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        check_structure(batch)
        yield batch


def _named(name: str, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    try:
        yield from _sound(batches)
    except _BROKEN as error:
        raise _not_parquet(name, error) from None


def _not_parquet(name: str, error: Exception) -> Exception:
    if isinstance(error, OSError) and error.errno is not None:
        return error  # an error of the disk, not of the content
    return BadRequest(f"{name} is not Parquet: {' '.join(str(error).split())[:200]}")
