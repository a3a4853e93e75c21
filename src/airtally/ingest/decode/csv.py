"""CSV files: comma, quotes by RFC 4180, a header with the names of the columns; an empty cell is null."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from airtally.ingest.checked import Checked, RowError, joined
from airtally.ingest.decode.gather import bound_errors, too_long
from airtally.ingest.decode.limits import Limits
from airtally.ingest.decode.text import BOM, CHUNK_BYTES, TextFile
from airtally.ingest.validate import check
from airtally.kit.errors import BadRequest
from airtally.streams.declaration import Stream

_ROWS_TO_CHECK = 20_000
#: A record without an end after so many bytes has none.
_RECORD_MAX = 4 << 20
_ENDED = "unexpected end of data"


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
            reader = _Records(stream, names, block, first_line, limits)
            used = reader.read(last=not more)
            rest = block[used:]
            if used:
                yield reader.finish(), text.position - len(rest)


def _header(line: bytes) -> list[str]:
    try:
        names = next(csv.reader([line.removeprefix(BOM).decode()], strict=True), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadRequest(f"the header of the CSV file cannot be read: {error}") from None
    names = [name.strip() for name in names]
    if not names or len(set(names)) != len(names):
        raise BadRequest("the CSV file's first line must name its columns, each once")
    return names


class _Lines:
    """Gives a block's lines to the CSV reader and knows how far it has come."""

    def __init__(self, block: bytes) -> None:
        self._block = block
        self.position = 0
        self.count = 0
        self.invalid = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        end = self._block.find(b"\n", self.position) + 1 or len(self._block)
        line = self._block[self.position : end]
        if not line:
            raise StopIteration
        self.position = end
        self.count += 1
        try:
            return line.decode()
        except UnicodeDecodeError:
            self.invalid = True
            return line.decode(errors="replace")


class _Records:
    """The records of a block, checked. Also the source of its rows."""

    def __init__(self, stream: Stream, names: list[str], block: bytes, first_line: int, limits: Limits) -> None:
        self._stream = stream
        self._names = names
        self._block = block
        self._first_line = first_line
        self._limits = limits
        self._rows: list[list[str]] = []
        self._parts: list[Checked] = []
        self._errors: list[RowError] = []
        self._checked = 0
        self._begins: list[int] = []  # of each row in the block
        self._ends: list[int] = []
        self._line_numbers: list[int] = []

    def read(self, *, last: bool) -> int:
        """Read whole records; returns the bytes used. A record that has no end yet is left unless `last`."""
        lines = _Lines(self._block)
        reader = csv.reader(lines, strict=True)
        while True:
            begin, line, lines.invalid = lines.position, self._first_line + lines.count, False
            try:
                row = next(reader, None)
            except csv.Error as error:
                if str(error) == _ENDED and not last and len(self._block) - begin < _RECORD_MAX:
                    return begin
                self._refuse(line, begin, lines.position, f"not CSV: {error}")
                continue
            if row is None:
                return lines.position
            if row:
                self._take(row, line, begin, lines)

    def finish(self) -> Checked:
        self._check()
        return joined(self._stream.row_schema, self._parts, self._errors, self)

    def line(self, position: int) -> int:
        return self._line_numbers[position]

    def raw(self, position: int) -> bytes:
        return self._block[self._begins[position] : self._ends[position]].rstrip(b"\r\n")

    def _take(self, row: list[str], line: int, begin: int, lines: _Lines) -> None:
        end = lines.position
        if lines.invalid:
            self._refuse(line, begin, end, "invalid UTF-8")
        elif len(row) != len(self._names):
            self._refuse(line, begin, end, f"expected {len(self._names)} columns, got {len(row)}")
        else:
            self._rows.append(row)
            self._begins.append(begin)
            self._ends.append(end)
            self._line_numbers.append(line)
            if len(self._rows) >= _ROWS_TO_CHECK:
                self._check()

    def _refuse(self, line: int, begin: int, end: int, error: str) -> None:
        raw = self._block[begin:end].rstrip(b"\r\n")
        if len(raw) > self._limits.line_max:
            self._errors.append(too_long(line, raw, self._limits))
        else:
            self._errors.append(RowError(line, None, error, raw))

    def _check(self) -> None:
        if not self._rows:
            return
        columns = zip(*self._rows, strict=True)
        wire = {
            name: pa.array([cell or None for cell in cells], pa.string())
            for name, cells in zip(self._names, columns, strict=True)
        }
        self._parts.append(check(self._stream, wire, len(self._rows), self, start=self._checked))
        self._checked += len(self._rows)
        self._rows = []
        bound_errors(len(self._errors) + sum(len(part.errors) for part in self._parts), self._limits)
