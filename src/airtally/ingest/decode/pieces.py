"""Text files cut into bodies of requests, each of which can be read by itself, at the same places each time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from airtally.ingest.decode.csv import header_names
from airtally.ingest.decode.csv_records import SLICE, NoRecord, Unfinished, leading_records, read_record
from airtally.ingest.decode.json import Windows
from airtally.ingest.decode.limits import LIMITS
from airtally.ingest.decode.text import TextFile

#: Bytes of a piece, and the rest of its last row. The server reads so much without waiting for memory.
PIECE_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class TextPiece:
    """`offset`: what is to be added to a line of its body for the line of the file (of JSON: the element, from 1)."""

    body: bytes
    offset: int


def ndjson_pieces(path: Path, size: int = PIECE_BYTES) -> Iterator[TextPiece]:
    """Whole lines. Raises BadRequest for a file that cannot be unpacked, as the others do, and OSError."""
    with TextFile.of(path) as text:
        while True:
            before = text.line - 1
            if not (block := text.lines(size, LIMITS.line_max)):
                return
            yield TextPiece(block, before)


def csv_pieces(path: Path, size: int = PIECE_BYTES) -> Iterator[TextPiece]:
    """Whole records after the header, which each piece begins with. Raises BadRequest for a header of no use."""
    with TextFile.of(path) as text:
        header = text.lines(1, LIMITS.line_max)
        width, rest = len(header_names(header)), b""
        header = header if header.endswith(b"\n") else header + b"\n"
        while True:
            first_line = text.line - rest.count(b"\n")
            more = text.lines(max(size - len(rest), 1), LIMITS.line_max)
            if not (block := rest + more):
                return
            used = _whole_records(block, width, last=not more)
            rest = block[used:]
            if used:
                yield TextPiece(header + block[:used], first_line - 2)


def json_pieces(path: Path, size: int = PIECE_BYTES) -> Iterator[TextPiece]:
    """Arrays of some of the elements. Raises BadRequest for what is no JSON."""
    with TextFile.of(path) as text:
        waiting: list[bytes] = []
        held = count = 0
        for window in Windows(text):
            waiting.append(window.strip()[1:-1])
            held += len(window)
            if held >= size:
                body = _array(waiting)
                yield TextPiece(body, count)
                count += len(msgspec.json.decode(body, type=list[msgspec.Raw]))
                waiting, held = [], 0
        if waiting:
            yield TextPiece(_array(waiting), count)


def _array(windows: list[bytes]) -> bytes:
    return b"[%s]" % b",".join([each for each in windows if each.strip()])


def _whole_records(block: bytes, width: int, *, last: bool) -> int:
    """The bytes of the records that end within the block, as `decode/csv.py` tells them apart."""
    at, longest = 0, LIMITS.line_max
    while at < len(block):
        end = block.find(b"\n", at + SLICE) + 1 or len(block)
        for _ in range(leading_records(block, at, end, width, longest).lines):
            at = block.find(b"\n", at) + 1 or len(block)
        while at < end:
            try:
                at = read_record(block, at, width, longest=longest, last=last).end
            except NoRecord:
                at = block.find(b"\n", at) + 1 or len(block)
            except Unfinished:
                return at
    return at
