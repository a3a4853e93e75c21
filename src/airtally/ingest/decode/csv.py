"""Decodes CSV, from files and from bodies: commas, quotes as in RFC 4180, a header with the names of the columns; an empty cell is null.

A record with another number of cells than the header is refused with the line where it began, and reading goes on at
the next line, so that an unclosed quote costs one row and not all that follow.
"""

from __future__ import annotations

import csv
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import numpy as np
import pyarrow as pa

from airtally.ingest.canonical import NONE
from airtally.ingest.checked import Checked, joined
from airtally.ingest.decode.bodies import UnpackedBody
from airtally.ingest.decode.csv_records import SLICE, NoRecord, Spans, Unfinished, leading_records, read_record
from airtally.ingest.decode.gather import bound_errors, too_long
from airtally.ingest.decode.limits import DecodeLimits
from airtally.ingest.decode.text import BOM, CHUNK_BYTES, TextFile
from airtally.ingest.row_errors import Ints, RefusedRows
from airtally.ingest.validate import check
from airtally.kit.errors import BadRequest
from airtally.kit.fair import pause
from airtally.streams.declaration import Stream

_ROWS_TO_CHECK = 20_000
#: Bytes of a request body in one block: all of a small one.
BODY_BLOCK = 8 << 20


def csv_chunks(stream: Stream, path: Path, start: int, limits: DecodeLimits) -> Iterator[tuple[Checked, int]]:
    """The chunks of a file after the byte `start`. Raises BadRequest for a header that cannot be used."""
    with TextFile.of(path) as text:
        for block, position in _blocks(stream, text, limits, start=start, size=CHUNK_BYTES):
            yield block.finish(), position


def read_csv(stream: Stream, body: UnpackedBody, limits: DecodeLimits) -> Checked:
    """All rows of a body. Raises BadRequest for a header that cannot be used, and for too many wrong rows."""
    source, parts, wrong = _CsvBody(), [], 0
    with body.text() as text:
        for block, _ in _blocks(stream, text, limits, size=BODY_BLOCK, numbered=True):
            part = block.finish()
            wrong += len(part.errors)
            bound_errors(wrong, limits)
            source.add(block)
            parts.append(part)
    return joined(stream.row_schema, parts, [], source)


def _blocks(
    stream: Stream, text: TextFile, limits: DecodeLimits, *, size: int, start: int = 0, numbered: bool = False
) -> Iterator[tuple[_Block, int]]:
    """Blocks of whole records, each with the position after it. `numbered`: their rows are numbered through."""
    names = header_names(text.lines(1, limits.line_max))
    text.skip(start)
    rest, number = b"", 0
    while True:
        first_line = text.line - rest.count(b"\n")
        more = text.lines(max(size - len(rest), 1), limits.line_max)
        if not (block := rest + more):
            return
        reader = _Block(stream, names, block, first_line, limits, number)
        used = reader.read(last=not more)
        rest = block[used:]
        if used:
            number = reader.end if numbered else 0
            yield reader, text.position - len(rest)


class _CsvBody:
    """The source of a body's rows: its blocks, whose rows and lines ascend."""

    is_json = False

    def __init__(self) -> None:
        self._blocks: list[_Block] = []

    def add(self, block: _Block) -> None:
        self._blocks.append(block)

    def lines(self, positions: Ints) -> Ints:
        which = np.searchsorted([block.end for block in self._blocks], positions, side="right")
        found = [self._blocks[at].lines(positions[which == at]) for at in np.unique(which).tolist()]
        return np.concatenate([np.empty(0, np.int64), *found])

    def raws(self, lines: Sequence[int]) -> list[bytes]:
        firsts = [block.first_line for block in self._blocks]
        return [raw for line in lines for raw in self._blocks[bisect_right(firsts, line) - 1].raws([line])]


def header_names(line: bytes) -> list[str]:
    """The columns that the first line of a CSV names. Raises BadRequest."""
    line = line.removeprefix(BOM).rstrip(b"\r\n")
    if b"\r" in line:
        raise BadRequest("the lines of the CSV end in a carriage return alone", hint="End them in LF or CR LF.")
    try:
        names = next(csv.reader([line.decode()], strict=True), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadRequest(f"the header of the CSV cannot be read: {error}") from None
    names = [name.strip() for name in names]
    if not names or len(set(names)) != len(names):
        raise BadRequest("the first line of CSV must name its columns, each once")
    return names


@dataclass(slots=True, frozen=True)
class _Piece:
    """The positions of records in a block: `spans` has the first and last line of each, counted from 0."""

    position: int  # of the first row
    first_line: int
    begin: int
    end: int
    rows: Spans
    refused: Spans

    def records(self, block: bytes) -> dict[int, tuple[int, int]]:
        """Begin and end of each record, by its first line."""
        lengths = (len(line) + 1 for line in block[self.begin : self.end].split(b"\n"))
        begins = list(accumulate(lengths, initial=self.begin))
        return {
            self.first_line + first: (begins[first], begins[last])
            for spans in (self.rows, self.refused)
            for first, last in zip(spans.firsts, spans.ends, strict=True)
        }


class _Block:
    """Reads and checks the records of a block of whole lines, and is the source of its rows."""

    is_json = False

    def __init__(  # noqa: PLR0917 (what a block is read with)
        self, stream: Stream, names: list[str], block: bytes, first_line: int, limits: DecodeLimits, number: int
    ) -> None:
        self._stream = stream
        self._names = names
        self._may_be_empty = {column.name for column in stream.columns if column.may_be_empty}
        self._block = block
        self._limits = limits
        self._at = 0
        self.first_line = self._line = first_line  # at `_at`
        self._pieces: list[_Piece] = []
        self._records: tuple[_Piece | None, dict[int, tuple[int, int]]] = (None, {})
        self._taken = number  # number of the next row read
        self._checked = number  # number of the next one checked
        self._rows: list[list[str]] = []  # the others
        self._parts: list[Checked] = []
        self._refused = RefusedRows()
        self._wrong = 0  # rows found wrong by `check`

    def read(self, *, last: bool) -> int:
        """Read complete records; returns the bytes used. A record that may continue after the block is left."""
        while self._at < len(self._block):
            pause()
            end = self._block.find(b"\n", self._at + SLICE) + 1 or len(self._block)
            self._leading(end)
            if self._at < end and not self._one_by_one(end, last=last):
                break
            if self._taken - self._checked >= _ROWS_TO_CHECK:
                self._check()
        return self._at

    @property
    def end(self) -> int:
        """The number of the row after the last."""
        return self._taken

    def finish(self) -> Checked:
        self._check()
        wrong = self._refused.block(lambda places: [NONE] * len(places))
        return joined(self._stream.row_schema, self._parts, [wrong], self)

    def lines(self, positions: Ints) -> Ints:
        return np.array([self._line_of(position) for position in positions.tolist()], dtype=np.int64)

    def _line_of(self, position: int) -> int:
        piece = self._pieces[bisect_right(self._pieces, position, key=lambda each: each.position) - 1]
        return piece.first_line + piece.rows.firsts[position - piece.position]

    def raws(self, lines: Sequence[int]) -> list[bytes]:
        return [self._raw(line) for line in lines]

    def _raw(self, line: int) -> bytes:
        if line not in self._records[1]:
            piece = self._pieces[bisect_right(self._pieces, line, key=lambda each: each.first_line) - 1]
            self._records = (piece, piece.records(self._block))
        begin, end = self._records[1][line]
        return self._block[begin:end].rstrip(b"\r\n")[: self._limits.line_max]

    def _add(self, rows: list[list[str]], piece: _Piece) -> None:
        if piece.end > piece.begin:
            self._pieces.append(piece)
            self._rows += rows
            self._taken += len(rows)

    def _leading(self, end: int) -> None:
        """Take the records before the first line that begins none."""
        found = leading_records(self._block, self._at, end, len(self._names), self._limits.line_max)
        begin, line = self._at, self._line
        for _ in range(found.lines):
            self._at = self._block.find(b"\n", self._at) + 1 or len(self._block)
        self._line += found.lines
        for first, why in zip(found.refused.firsts, found.reasons, strict=True):
            self._refused.add(line + first, (None, why))
        self._add(found.cells, _Piece(self._taken, line, begin, self._at, found.rows, found.refused))
        bound_errors(len(self._refused) + self._wrong, self._limits)

    def _one_by_one(self, end: int, *, last: bool) -> bool:
        """Take records until `end` is passed; False if one may continue after the block."""
        rows: list[list[str]] = []
        spans = {True: Spans(), False: Spans()}
        begin, line, finished = self._at, self._line, True
        while self._at < end and finished:
            first, refused = self._line, len(self._refused)
            try:
                cells = self._next(last=last)
            except Unfinished:
                finished = False
            else:
                if cells is not None:
                    rows.append(cells)
                if cells is not None or len(self._refused) > refused:
                    spans[cells is not None].add(first - line, self._line - line)
        self._add(rows, _Piece(self._taken, line, begin, self._at, spans[True], spans[False]))
        bound_errors(len(self._refused) + self._wrong, self._limits)
        return finished

    def _next(self, *, last: bool) -> list[str] | None:
        """The cells of the record at the current line; None if the line is empty or refused."""
        line_end = self._block.find(b"\n", self._at) + 1 or len(self._block)
        raw = self._block[self._at : line_end].rstrip(b"\r\n")
        longest = self._limits.line_max
        if not raw:
            self._go_to(line_end)
        elif len(raw) > longest:
            self._refuse(too_long(self._limits), line_end)
        else:
            try:
                record = read_record(self._block, self._at, len(self._names), longest=longest, last=last)
            except NoRecord as why:
                self._refuse(str(why), line_end)
            else:
                if record.cells is None:
                    self._refuse("invalid UTF-8", record.end)
                else:
                    self._go_to(record.end)
                return record.cells
        return None

    def _refuse(self, why: str, go_on_at: int) -> None:
        self._refused.add(self._line, (None, why))
        self._go_to(go_on_at)

    def _go_to(self, at: int) -> None:
        self._line += self._block.count(b"\n", self._at, at) or 1  # the last line may lack a line end
        self._at = at

    def _check(self) -> None:
        if not self._rows:
            return
        columns = zip(*self._rows, strict=True)
        wire = {
            name: pa.array(cells if name in self._may_be_empty else [cell or None for cell in cells], pa.string())
            for name, cells in zip(self._names, columns, strict=True)
        }
        self._parts.append(check(self._stream, wire, len(self._rows), self, start=self._checked))
        self._checked += len(self._rows)
        self._rows = []
        self._wrong += len(self._parts[-1].errors)
        bound_errors(len(self._refused) + self._wrong, self._limits)
