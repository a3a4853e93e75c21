"""Decodes Arrow IPC streams and files."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
from pyarrow import ipc

from airtally.ingest.checked import Checked
from airtally.ingest.decode.bodies import UnpackedBody
from airtally.ingest.decode.columnar import read_batches
from airtally.ingest.decode.limits import DecodeLimits
from airtally.ingest.decode.parquet import batch_chunks
from airtally.ingest.decode.structure import check_schema, check_structure
from airtally.kit.errors import BadRequest, TooLarge
from airtally.streams.declaration import Stream

_FILE = b"ARROW1"
_BROKEN = (pa.ArrowException, OSError, ValueError, MemoryError, EOFError)


def read_arrow(stream: Stream, body: UnpackedBody, limits: DecodeLimits) -> Checked:
    """All rows of a stream. Raises BadRequest for other content, TooLarge if it unpacks to too much."""
    try:
        content = body.whole()
        _bound(content, limits)
        with ipc.open_stream(pa.BufferReader(content)) as reader:
            check_schema(reader.schema)
            return read_batches(stream, _batches(reader), limits)
    except _BROKEN as error:
        raise _not_arrow("the body", error) from None


def arrow_chunks(stream: Stream, path: Path, start: int, limits: DecodeLimits) -> Iterator[tuple[Checked, int]]:
    """The chunks of a file or a stored stream after row `start`."""
    with path.open("rb") as opened:
        yield from batch_chunks(stream, stored_batches(opened, path), limits, start=start)


def stored_batches(opened: object, path: Path) -> Iterator[pa.RecordBatch]:
    """Of a file or a stored stream. Raises BadRequest for other content."""
    with path.open("rb") as head:
        is_file = head.read(len(_FILE)) == _FILE
    try:
        reader = ipc.open_file(opened) if is_file else ipc.open_stream(opened)
        check_schema(reader.schema)
        batches = map(reader.get_batch, range(reader.num_record_batches)) if is_file else reader
        yield from _batches(batches)
    except _BROKEN as error:
        raise _not_arrow(path.name, error) from None


def _batches(reader: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in reader:
        # the library itself would read beyond the data by invalid offsets
        check_structure(batch)
        yield batch


def _bound(body: bytes | bytearray, limits: DecodeLimits) -> None:
    """Raises TooLarge if compressed buffers state sizes that are too large in sum."""
    total = 0
    for message in ipc.MessageReader.open_stream(pa.BufferReader(body)):
        total += packed_says(message.metadata, message.body)
        if total > limits.unpacked_max:
            raise TooLarge(f"the body is over {limits.unpacked_max} bytes unpacked")
    limits.holds(total)


def packed_says(metadata: pa.Buffer, body: pa.Buffer | None) -> int:
    """The sum of the unpacked sizes that a message's compressed buffers state; 0 without any.

    The library unpacks buffers before it tells their size, so this reads the message's flatbuffer itself:
    Message.header, then RecordBatch.buffers and .compression (Message.fbs of Arrow).
    """
    try:
        return _packed_says(memoryview(metadata), memoryview(body or b""))
    except struct.error:
        raise BadRequest("the body is not an Arrow stream: a broken message") from None


def _packed_says(data: memoryview, body: memoryview) -> int:
    message = _indirect(data, 0)
    kind, header = _field(data, message, 1), _field(data, message, 2)
    if kind is None or header is None or data[kind] not in {2, 3}:  # DictionaryBatch, RecordBatch
        return 0
    batch = _indirect(data, header)
    if data[kind] == 2:
        inner = _field(data, batch, 1)
        if inner is None:
            return 0
        batch = _indirect(data, inner)
    buffers, compression = _field(data, batch, 2), _field(data, batch, 3)
    if buffers is None or compression is None:
        return 0
    vector = _indirect(data, buffers)
    total = 0
    for index in range(_unpack("<I", data, vector)):
        offset, length = struct.unpack_from("<qq", data, vector + 4 + 16 * index)
        if length >= 8:
            total += max(_unpack("<q", body, offset), 0)
    return total


def _indirect(data: memoryview, at: int) -> int:
    return at + _unpack("<I", data, at)


def _field(data: memoryview, table: int, index: int) -> int | None:
    """The position of a field of a flatbuffer table; None if it is absent."""
    vtable = table - _unpack("<i", data, table)
    if vtable < 0:
        raise struct.error
    if 4 + 2 * index >= _unpack("<H", data, vtable):
        return None
    offset = _unpack("<H", data, vtable + 4 + 2 * index)
    return table + offset if offset else None


def _unpack(form: str, data: memoryview, at: int) -> int:
    if at < 0:
        raise struct.error
    value: int = struct.unpack_from(form, data, at)[0]
    return value


def _not_arrow(name: str, error: Exception) -> Exception:
    if isinstance(error, OSError) and error.errno is not None:
        return error  # an error of the disk, not of the content
    return BadRequest(f"{name} is not an Arrow stream: {' '.join(str(error).split())[:200]}")
