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


def read_ndjson(stream: Stream, body: bytes, limits: Limits, *, first_line: int = 1) -> Checked:
    """All rows of a text. Raises BadRequest when more rows are wrong than `limits` allow."""
    gatherer = Gatherer(stream, limits, first_line)
    for begin, end in _slices(body):
        pause()
        gatherer.take(_lines(body, begin, end), end - begin, partial(_lines, body, begin, end))
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


def _slices(body: bytes) -> Iterator[tuple[int, int]]:
    begin = len(BOM) if body.startswith(BOM) else 0
    while begin < len(body):
        end = body.find(b"\n", begin + SLICE) + 1 or len(body)
        yield begin, end
        begin = end


def _lines(body: bytes, begin: int, end: int) -> list[bytes]:
    lines = body[begin:end].split(b"\n")
    if not lines[-1]:
        lines.pop()
    return lines
