"""The stored form of rejected rows: as received, with the error, and as the JSON that resending reads."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Literal

import msgspec
import pyarrow as pa

from airtally.ingest.row_errors import RowError
from airtally.kit.fair import pause

_CODEC = "zstd"
#: Rows packed in one step: some milliseconds.
_TOGETHER = 2_000


class RejectedRow(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One rejected row. `raw` is its text as received; if that is not UTF-8, `raw_base64` is there instead.

    `form` says what resending reads: `raw`, which is then JSON; `row`; or `none`. None for releases before 0.2.
    """

    line: int
    field: str | None
    error: str
    raw: str | None = None
    raw_base64: str | None = None
    form: Literal["raw", "row", "none"] | None = None
    row: str | None = None

    @property
    def received(self) -> bytes:
        return self.raw.encode() if self.raw is not None else base64.b64decode(self.raw_base64 or "")


def rejected(error: RowError) -> RejectedRow:
    form: Literal["raw", "row", "none"] = "raw" if error.row is None else "row" if error.row else "none"
    row = error.row.decode() if error.row else None
    try:
        return RejectedRow(error.line, error.field, error.error, error.raw.decode(), None, form, row)
    except UnicodeDecodeError:
        packed = base64.b64encode(error.raw).decode()
        return RejectedRow(error.line, error.field, error.error, None, packed, form, row)


def packed_rows(rows: Iterable[RejectedRow]) -> bytes:
    return _packed(iter(rows), None)[0]


def packed_errors(errors: Sequence[RowError], room: int) -> tuple[int, bytes]:
    """Pack errors, from the first, into at most `room` bytes: within a tenth as many as fit. Returns number and bytes.

    Errors that do not fit are not looked at: a body may have millions.
    """
    content, count = _packed(map(rejected, errors), max(room, 0)) if room > 0 else (b"", 0)
    while count and len(content) > room:
        count = min(count - 1, count * 9 * max(room, 0) // (10 * len(content)))
        content = packed_rows(map(rejected, islice(errors, count))) if count else b""
    return count, content


def _packed(rows: Iterator[RejectedRow], room: int | None) -> tuple[bytes, int]:
    """Pack rows until they exceed `room` bytes; returns the packed bytes and the number of rows."""
    sink, encoder, count = pa.BufferOutputStream(), msgspec.json.Encoder(), 0
    with pa.CompressedOutputStream(sink, _CODEC) as out:
        while (room is None or sink.tell() <= room) and (some := list(islice(rows, _TOGETHER))):
            pause()
            out.write(encoder.encode_lines(some))
            count += len(some)
    return bytes(sink.getvalue()), count


def unpacked_rows(content: bytes) -> Iterator[RejectedRow]:
    decoder = msgspec.json.Decoder(RejectedRow)
    with pa.input_stream(pa.py_buffer(content), compression=_CODEC) as stream:
        yield from map(decoder.decode, stream.read().split(b"\n")[:-1])
