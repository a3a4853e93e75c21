"""Decodes NDJSON: one object per line; blank lines are ignored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from airtally.ingest.checked import Checked
from airtally.ingest.decode.bodies import UnpackedBody
from airtally.ingest.decode.gather import Gatherer
from airtally.ingest.decode.limits import DecodeLimits
from airtally.ingest.decode.line_columns import FEWEST_BYTES
from airtally.ingest.decode.text import BOM, CHUNK_BYTES, TextFile
from airtally.kit.fair import pause
from airtally.streams.declaration import Stream

#: Bytes decoded in one step: some hundred lines, so that no call keeps the interpreter for long.
SLICE = 64 << 10
#: Bytes held of a body that is read by pieces, besides the rest of their last line; with it usually read in one step.
BLOCK = 960 << 10
#: Bytes of blank lines skipped in one step: some milliseconds.
BLANK_SLICE = 1 << 20
_SPACE = b" \t\n\r\x0b\x0c"


def read_ndjson(stream: Stream, body: UnpackedBody, limits: DecodeLimits) -> Checked:
    """All rows of a text. Raises BadRequest if more rows are wrong than `limits` allow."""
    if body.content is not None:
        return _read_block(stream, body.content, limits)
    gatherer, again = Gatherer(stream, limits), _Again(body, limits.line_max)
    with body.text() as text:
        position = 0
        while block := text.lines(BLOCK, limits.line_max):
            _gather(gatherer, block, partial(again.lines, position), is_first=position == 0)
            position = text.position
    return gatherer.finish()


class _Again:
    """Reads lines of a body again that is not held in memory. Cheap while positions ascend."""

    def __init__(self, body: UnpackedBody, line_max: int) -> None:
        self._body = body
        self._line_max = line_max
        self._block: tuple[int, bytes] = (-1, b"")

    def lines(self, position: int, begin: int, end: int) -> list[bytes]:
        """The lines between two places of the block at a position."""
        if self._block[0] != position:
            self._block = (position, self._body.at(position).lines(BLOCK, self._line_max))
        return _lines(self._block[1], begin, end)


def _read_block(stream: Stream, block: bytes, limits: DecodeLimits, first_line: int = 1) -> Checked:
    gatherer = Gatherer(stream, limits, first_line)
    _gather(gatherer, block, partial(_lines, block))
    return gatherer.finish()


def _gather(
    gatherer: Gatherer, block: bytes, again: Callable[[int, int], list[bytes]], *, is_first: bool = True
) -> None:
    """Add the rows of whole lines; `again` reads those between two places of the block again."""
    at = len(BOM) if is_first and block.startswith(BOM) else 0
    while at < len(block):
        pause()
        end = _end_of_blank_lines(block, at)
        if end > at:
            gatherer.skip(block.count(b"\n", at, end))
        else:
            end = _take_columns(gatherer, block, at, again) or _take_lines(gatherer, block, at, again)
        at = end


def _take_columns(gatherer: Gatherer, block: bytes, at: int, again: Callable[[int, int], list[bytes]]) -> int:
    """Add lines that begin at a place, read as columns; the end of them, 0 if they are to be read one by one."""
    most = 0 if len(block) < FEWEST_BYTES else gatherer.columns_most
    end = len(block) if len(block) - at <= most else block.rfind(b"\n", at, at + most) + 1
    return end if end and gatherer.take_columns(block[at:end], partial(again, at, end)) else 0


def _take_lines(gatherer: Gatherer, block: bytes, at: int, again: Callable[[int, int], list[bytes]]) -> int:
    """Add some lines that begin at a place, read one by one; the end of them."""
    end = block.find(b"\n", at + SLICE) + 1 or len(block)
    gatherer.take(_lines(block, at, end), end - at, partial(again, at, end))
    return end


def ndjson_chunks(stream: Stream, path: Path, start: int, limits: DecodeLimits) -> Iterator[tuple[Checked, int]]:
    """The chunks of a file after the byte `start`."""
    with TextFile.of(path) as text:
        text.skip(start)
        while True:
            line = text.line
            block = text.lines(CHUNK_BYTES, limits.line_max)
            if not block:
                return
            yield _read_block(stream, block, limits, line), text.position


def _end_of_blank_lines(body: bytes, begin: int) -> int:
    """The end of the blank lines that begin at `begin`, within one step."""
    if body[begin] not in _SPACE:
        return begin
    blank = 0
    for size in (256, BLANK_SLICE):  # indented rows are not blank
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
