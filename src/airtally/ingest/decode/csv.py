"""CSV files: comma, quotes by RFC 4180, a header with the names of the columns; an empty cell is null.

A record that does not come to the header's columns is refused with the line where it began, and reading goes on
at the next line: a quote that is never closed costs one row, not all that follow.
"""

from __future__ import annotations

import csv
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import pyarrow as pa

from airtally.ingest.canonical import NONE
from airtally.ingest.checked import Checked, RowError, joined
from airtally.ingest.decode.csv_records import SLICE, NoRecord, Unfinished, leading_records, read_record
from airtally.ingest.decode.gather import bound_errors, too_long
from airtally.ingest.decode.limits import Limits
from airtally.ingest.decode.text import BOM, CHUNK_BYTES, TextFile
from airtally.ingest.validate import check
from airtally.kit.errors import BadRequest
from airtally.kit.fair import pause
from airtally.streams.declaration import Stream

_ROWS_TO_CHECK = 20_000


def csv_chunks(stream: Stream, path: Path, start: int, limits: Limits) -> Iterator[tuple[Checked, int]]:
    """The chunks of a file after the byte `start`. Raises BadRequest for a header that cannot be used."""
    with TextFile.of(path) as text:
        names = _header(text.lines(1, limits.line_max))
        text.skip(start)
        rest = b""
        while True:
            first_line = text.line - rest.count(b"\n")
            more = text.lines(max(CHUNK_BYTES - len(rest), 1), limits.line_max)
            if not (block := rest + more):
                return
            reader = _Block(stream, names, block, first_line, limits)
            used = reader.read(last=not more)
            rest = block[used:]
            if used:
                yield reader.finish(), text.position - len(rest)


def _header(line: bytes) -> list[str]:
    line = line.removeprefix(BOM).rstrip(b"\r\n")
    if b"\r" in line:
        raise BadRequest("the lines of the CSV file end in a carriage return alone", hint="End them in LF or CR LF.")
    try:
        names = next(csv.reader([line.decode()], strict=True), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadRequest(f"the header of the CSV file cannot be read: {error}") from None
    names = [name.strip() for name in names]
    if not names or len(set(names)) != len(names):
        raise BadRequest("the CSV file's first line must name its columns, each once")
    return names


@dataclass(slots=True)
class _Piece:
    """Where some rows stand in a block: `places` has line, begin and end of each.

    While nobody asks for them, `ends` has the number of lines up to the end of each row.
    """

    position: int  # of the first row
    first_line: int
    begin: int
    end: int
    ends: list[int]
    places: list[tuple[int, int, int]] | None = None

    def place(self, block: bytes, number: int) -> tuple[int, int, int]:
        if self.places is None:
            lengths = (len(line) + 1 for line in block[self.begin : self.end].split(b"\n"))
            begins = list(accumulate(lengths, initial=self.begin))
            spans = zip([0, *self.ends], self.ends, strict=False)
            self.places = [(self.first_line + first, begins[first], begins[last]) for first, last in spans]
        return self.places[number]


class _Block:
    """The records of a block of whole lines, checked. Also the source of its rows."""

    is_json = False

    def __init__(self, stream: Stream, names: list[str], block: bytes, first_line: int, limits: Limits) -> None:
        self._stream = stream
        self._names = names
        self._may_be_empty = {column.name for column in stream.columns if column.may_be_empty}
        self._block = block
        self._limits = limits
        self._at = 0
        self._line = first_line  # at `_at`
        self._pieces: list[_Piece] = []
        self._taken = 0  # rows read
        self._checked = 0  # of these, rows checked
        self._rows: list[list[str]] = []  # the others
        self._parts: list[Checked] = []
        self._errors: list[RowError] = []

    def read(self, *, last: bool) -> int:
        """Read whole records; returns the bytes used. A record that may go on after the block is left."""
        while self._at < len(self._block):
            pause()
            end = self._block.find(b"\n", self._at + SLICE) + 1 or len(self._block)
            self._leading(end)
            if self._at < end and not self._one_by_one(end, last=last):
                break
            if self._taken - self._checked >= _ROWS_TO_CHECK:
                self._check()
        return self._at

    def finish(self) -> Checked:
        self._check()
        return joined(self._stream.row_schema, self._parts, self._errors, self)

    def line(self, position: int) -> int:
        return self._place(position)[0]

    def raw(self, position: int) -> bytes:
        _, begin, end = self._place(position)
        return self._block[begin:end].rstrip(b"\r\n")

    def _place(self, position: int) -> tuple[int, int, int]:
        piece = self._pieces[bisect_right(self._pieces, position, key=lambda each: each.position) - 1]
        return piece.place(self._block, position - piece.position)

    def _add(self, rows: list[list[str]], piece: _Piece) -> None:
        if rows:
            self._pieces.append(piece)
            self._rows += rows
            self._taken += len(rows)

    def _leading(self, end: int) -> None:
        """Take the records that come before the first line without one."""
        rows, ends = leading_records(self._block, self._at, end, len(self._names))
        if not rows:
            return
        begin, lines = self._at, ends[-1]
        for _ in range(lines):
            self._at = self._block.find(b"\n", self._at) + 1 or len(self._block)
        self._add(rows, _Piece(self._taken, self._line, begin, self._at, ends))
        self._line += lines

    def _one_by_one(self, end: int, *, last: bool) -> bool:
        """Records until `end` is passed; False where one may go on after the block."""
        rows: list[list[str]] = []
        places: list[tuple[int, int, int]] = []
        begin, line, finished = self._at, self._line, True
        while self._at < end and finished:
            place = (self._line, self._at)
            try:
                cells = self._next(last=last)
            except Unfinished:
                finished = False
            else:
                if cells is not None:
                    rows.append(cells)
                    places.append((*place, self._at))
        self._add(rows, _Piece(self._taken, line, begin, self._at, [], places))
        bound_errors(len(self._errors), self._limits)
        return finished

    def _next(self, *, last: bool) -> list[str] | None:
        """The cells of the record at the present line; None where the line is empty or refused."""
        line_end = self._block.find(b"\n", self._at) + 1 or len(self._block)
        raw = self._block[self._at : line_end].rstrip(b"\r\n")
        longest = self._limits.line_max
        if not raw:
            self._go_to(line_end)
        elif len(raw) > longest:
            self._refuse(too_long(self._line, raw, self._limits), line_end)
        else:
            try:
                record = read_record(self._block, self._at, len(self._names), longest=longest, last=last)
            except NoRecord as why:
                self._refuse(RowError(self._line, None, str(why), raw, NONE), line_end)
            else:
                if record.cells is None:
                    whole = self._block[self._at : record.end].rstrip(b"\r\n")
                    self._refuse(RowError(self._line, None, "invalid UTF-8", whole, NONE), record.end)
                else:
                    self._go_to(record.end)
                return record.cells
        return None

    def _refuse(self, error: RowError, go_on_at: int) -> None:
        self._errors.append(error)
        self._go_to(go_on_at)

    def _go_to(self, at: int) -> None:
        self._line += self._block.count(b"\n", self._at, at)
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
        bound_errors(len(self._errors) + sum(len(part.errors) for part in self._parts), self._limits)
