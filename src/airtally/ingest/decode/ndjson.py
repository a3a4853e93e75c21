"""NDJSON: one object a line. Good slices are decoded at once, the others line by line."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from airtally.ingest.checked import Checked, RowError, joined
from airtally.ingest.decode.limits import Limits
from airtally.ingest.decode.rows import WRONG, Codec, codec, explain
from airtally.ingest.validate import check
from airtally.kit.errors import BadRequest
from airtally.streams.declaration import Stream

#: Bytes decoded in one go: some hundred lines, so that no call keeps the interpreter for long.
SLICE = 64 << 10
#: Rows turned into columns in one go, and checked in one go.
ROWS_TO_COLUMNS = 2_000
ROWS_TO_CHECK = 50_000
BYTES_TO_CHECK = 16 << 20

_BLANK = frozenset({b"", b"\r"})


def read_ndjson(stream: Stream, body: bytes, limits: Limits, *, first_line: int = 1) -> Checked:
    """All rows of a text. Raises BadRequest when more rows are wrong than `limits` allow."""
    reader = _Reader(stream, body, limits, first_line)
    for begin, end in _slices(body):
        reader.take(begin, end)
    return reader.finish()


def _slices(body: bytes) -> Iterator[tuple[int, int]]:
    begin = 3 if body.startswith(b"\xef\xbb\xbf") else 0
    while begin < len(body):
        end = body.find(b"\n", begin + SLICE) + 1 or len(body)
        yield begin, end
        begin = end


@dataclass(slots=True, frozen=True)
class _Piece:
    """Where the rows of a slice stand: `numbers` has their lines within it where not every line is a row."""

    position: int
    begin: int
    end: int
    first_line: int
    numbers: list[int] | None


class Lines:
    """The source of NDJSON rows: finds a row's line again without having kept it."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._pieces: list[_Piece] = []
        self._split: tuple[_Piece | None, list[bytes]] = (None, [])

    def add(self, piece: _Piece) -> None:
        self._pieces.append(piece)

    def line(self, position: int) -> int:
        piece, number = self._find(position)
        return piece.first_line + number

    def raw(self, position: int) -> bytes:
        piece, number = self._find(position)
        if self._split[0] is not piece:
            self._split = (piece, self._body[piece.begin : piece.end].split(b"\n"))
        return self._split[1][number]

    def _find(self, position: int) -> tuple[_Piece, int]:
        piece = self._pieces[bisect_right(self._pieces, position, key=lambda each: each.position) - 1]
        number = position - piece.position
        return piece, number if piece.numbers is None else piece.numbers[number]


class _Reader:
    """Gathers rows into columns and columns into checked parts."""

    def __init__(self, stream: Stream, body: bytes, limits: Limits, first_line: int) -> None:
        self._stream = stream
        self._codec: Codec = codec(stream)
        self._body = body
        self._limits = limits
        self._line = first_line
        self._source = Lines(body)
        self._rows: list[Any] = []
        self._columns: list[list[pa.Array]] = []
        self._parts: list[Checked] = []
        self._errors: list[RowError] = []
        self._wrong = 0
        self._position = 0  # of the next row
        self._checked = 0  # rows checked so far
        self._unchecked_from = 0

    def take(self, begin: int, end: int) -> None:
        lines = self._body[begin:end].split(b"\n")
        if not lines[-1]:
            lines.pop()
        numbers = None
        try:
            if end - begin > self._limits.line_max:
                raise RecursionError
            rows = list(map(self._codec.decode, lines))
        except WRONG:
            rows, numbers = self._one_by_one(lines)
        self._source.add(_Piece(self._position, begin, end, self._line, numbers))
        self._line += len(lines)
        self._position += len(rows)
        self._rows += rows
        if len(self._rows) >= ROWS_TO_COLUMNS:
            self._to_columns()
        if self._position - self._checked >= ROWS_TO_CHECK or end - self._unchecked_from >= BYTES_TO_CHECK:
            self._check()
            self._unchecked_from = end

    def finish(self) -> Checked:
        self._check()
        return joined(self._stream.row_schema, self._parts, self._errors, self._source)

    def _one_by_one(self, lines: list[bytes]) -> tuple[list[Any], list[int]]:
        rows, numbers = [], []
        decode, errors = self._codec.decode, self._errors
        for number, line in enumerate(lines):
            if line in _BLANK or line.isspace():
                continue
            if len(line) > self._limits.line_max:
                errors.append(too_long(self._line + number, line, self._limits))
                continue
            try:
                rows.append(decode(line))
            except WRONG as error:
                errors.append(RowError(self._line + number, *explain(error), line))
            else:
                numbers.append(number)
        self._bound_errors()
        return rows, numbers

    def _to_columns(self) -> None:
        if self._rows:
            self._columns.append(self._codec.columns(self._rows))
            self._rows = []

    def _check(self) -> None:
        self._to_columns()
        if not self._columns:
            return
        names = self._stream.row_schema.names
        arrays = (
            self._columns[0] if len(self._columns) == 1 else map(pa.concat_arrays, zip(*self._columns, strict=True))
        )
        count = self._position - self._checked
        part = check(self._stream, dict(zip(names, arrays, strict=True)), count, self._source, start=self._checked)
        self._parts.append(part)
        self._checked += count
        self._columns = []
        self._wrong += len(part.errors)
        self._bound_errors()

    def _bound_errors(self) -> None:
        if len(self._errors) + self._wrong > self._limits.errors_max:
            raise too_many_errors(self._limits)


def too_long(line: int, raw: bytes, limits: Limits) -> RowError:
    """The error of a row over the limit; of the row itself only the beginning is kept."""
    size = f"{limits.line_max >> 20} MiB" if limits.line_max >= 1 << 20 else f"{limits.line_max} bytes"
    return RowError(line, None, f"line longer than {size}", raw[: limits.line_max])


def too_many_errors(limits: Limits) -> BadRequest:
    return BadRequest(f"more than {limits.errors_max} rows of this batch are wrong; nothing of it was kept")
