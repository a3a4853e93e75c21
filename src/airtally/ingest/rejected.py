"""Rejected rows as the quarantine keeps them: as received, with the error, and in the form that resending reads."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec
import pyarrow as pa

from airtally.ingest.row_errors import RowError
from airtally.kit.fair import pause

_CODEC = "zstd"
#: Rows packed in one go: some milliseconds.
_TOGETHER = 2_000


class RejectedRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """One rejected row. `raw` is its text as received; `raw_base64` stands instead where that is not UTF-8.

    `form` says what resending reads: `raw`, which is JSON; `row`; or nothing. None: an entry of a release before 0.2.
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
        raw = bytes(error.raw).decode()
    except UnicodeDecodeError:
        packed = base64.b64encode(error.raw).decode()
        return RejectedRow(error.line, error.field, error.error, raw_base64=packed, form=form, row=row)
    return RejectedRow(error.line, error.field, error.error, raw=raw, form=form, row=row)


def packed_rows(rows: Sequence[RejectedRow]) -> bytes:
    sink = pa.BufferOutputStream()
    encoder = msgspec.json.Encoder()
    with pa.CompressedOutputStream(sink, _CODEC) as out:
        for start in range(0, len(rows), _TOGETHER):
            pause()
            out.write(encoder.encode_lines(rows[start : start + _TOGETHER]))
    return bytes(sink.getvalue())


def unpacked_rows(content: bytes) -> Iterator[RejectedRow]:
    decoder = msgspec.json.Decoder(RejectedRow)
    with pa.input_stream(pa.py_buffer(content), compression=_CODEC) as stream:
        yield from map(decoder.decode, stream.read().split(b"\n")[:-1])


def as_many_as_fit(rows: list[RejectedRow], content: bytes, room: int) -> tuple[list[RejectedRow], bytes]:
    """The first rows, and what they are packed, so that they take at most `room` bytes."""
    while rows and len(content) > room:
        rows = rows[: min(len(rows) - 1, len(rows) * max(room, 0) * 9 // (10 * len(content)))]
        content = packed_rows(rows) if rows else b""
    return rows, content
