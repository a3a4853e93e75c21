"""NDJSON: one object a line, empty lines between them allowed."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from airtally.ingest.checked import Checked
from airtally.ingest.decode.gather import Gatherer
from airtally.ingest.decode.limits import Limits
from airtally.ingest.decode.text import BOM, CHUNK_BYTES, TextFile
from airtally.kit.fair import pause
from airtally.streams.declaration import Stream

#: Bytes decoded in one go: some hundred lines, so that no call keeps the interpreter for long.
SLICE = 64 << 10
#: Bytes of blank lines passed over in one go: some milliseconds.
BLANK_SLICE = 2 << 20
_SPACE = b" \t\n\r\x0b\x0c"


def read_ndjson(stream: Stream, body: bytes, limits: Limits, *, first_line: int = 1) -> Checked:
    """All rows of a text. Raises BadRequest when more rows are wrong than `limits` allow."""
    gatherer = Gatherer(stream, limits, first_line)
    at = len(BOM) if body.startswith(BOM) else 0
    while at < len(body):
        pause()
        end = _end_of_blank_lines(body, at)
        if end > at:
            gatherer.skip(body.count(b"\n", at, end))
        else:
            end = body.find(b"\n", at + SLICE) + 1 or len(body)
            gatherer.take(_lines(body, at, end), end - at, partial(_lines, body, at, end))
        at = end
    return gatherer.finish()


def ndjson_chunks(stream: Stream, path: Path, start: int, limits: Limits) -> Iterator[tuple[Checked, int]]:
    """The chunks of a file after the byte `start`."""
    with TextFile.of(path) as text:
        text.skip(start)
        while True:
            line = text.line
            block = text.lines(CHUNK_BYTES, limits.line_max)
            if not block:
                return
            yield read_ndjson(stream, block, limits, first_line=line), text.position


def _end_of_blank_lines(body: bytes, begin: int) -> int:
    """Where the blank lines end that begin at `begin`; of many, those of one slice of them."""
    if body[begin] not in _SPACE:
        return begin
    blank = 0
    for size in (256, BLANK_SLICE):  # rows may just be indented
        piece = body[begin : begin + size]
        blank = len(piece) - len(piece.lstrip())
        if blank < len(piece):
            break
    if begin + blank == len(body):
        return len(body)
    return body.rfind(b"\n", begin, begin + blank) + 1 or begin


def _lines(body: bytes, begin: int, end: int) -> list[bytes]:
    lines = body[begin:end].split(b"\n")
    if not lines[-1]:
        lines.pop()
    return lines
