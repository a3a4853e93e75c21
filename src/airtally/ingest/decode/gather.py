"""JSON objects to checked rows, whatever text they stand in."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from airtally.ingest.canonical import NONE
from airtally.ingest.checked import Checked, RowError, joined
from airtally.ingest.decode.limits import Limits
from airtally.ingest.decode.rows import WRONG, Codec, codec, explain
from airtally.ingest.validate import check
from airtally.kit.errors import BadRequest
from airtally.streams.declaration import Stream

#: Rows turned into columns in one go, and rows and bytes checked in one go.
ROWS_TO_COLUMNS = 2_000
ROWS_TO_CHECK = 50_000
BYTES_TO_CHECK = 16 << 20

_BLANK = frozenset({b"", b"\r"})


@dataclass(slots=True, frozen=True)
class _Piece:
    """Where the rows of some lines stand: `numbers` has their lines where not every line is a row.

    `again` gives the lines once more.
    """

    position: int
    first_line: int
    numbers: list[int] | None
    again: Callable[[], list[bytes]]


class Lines:
    """The source of JSON rows: finds a row's line again without having kept it."""

    is_json = True

    def __init__(self) -> None:
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
            self._split = (piece, piece.again())
        return self._split[1][number]

    def _find(self, position: int) -> tuple[_Piece, int]:
        piece = self._pieces[bisect_right(self._pieces, position, key=lambda each: each.position) - 1]
        number = position - piece.position
        return piece, number if piece.numbers is None else piece.numbers[number]


class Gatherer:
    """Takes lines (or elements of an array), gathers rows into columns and columns into checked parts."""

    def __init__(self, stream: Stream, limits: Limits, first_line: int = 1) -> None:
        self.line = first_line
        self._stream = stream
        self._codec: Codec = codec(stream)
        self._limits = limits
        self._source = Lines()
        self._rows: list[Any] = []
        self._columns: list[list[pa.Array]] = []
        self._parts: list[Checked] = []
        self._errors: list[RowError] = []
        self._wrong = 0  # rows found wrong by `check`
        self._taken = 0  # rows decoded
        self._checked = 0  # of these, rows checked
        self._bytes = 0  # of the lines not checked yet

    def take(self, lines: list[bytes], size: int, again: Callable[[], list[bytes]]) -> None:
        """Some lines, of `size` bytes in all. Raises BadRequest when more rows are wrong than may be."""
        numbers = None
        try:
            if size > self._limits.line_max:
                rows, numbers = self._one_by_one(lines)
            else:
                rows = list(map(self._codec.decode, lines))
        except WRONG:
            rows, numbers = self._one_by_one(lines)
        self._source.add(_Piece(self._taken, self.line, numbers, again))
        self.line += len(lines)
        self._taken += len(rows)
        self._rows += rows
        self._bytes += size
        if len(self._rows) >= ROWS_TO_COLUMNS:
            self._to_columns()
        if self._taken - self._checked >= ROWS_TO_CHECK or self._bytes >= BYTES_TO_CHECK:
            self._check()

    def finish(self) -> Checked:
        self._check()
        return joined(self._stream.row_schema, self._parts, self._errors, self._source)

    def _one_by_one(self, lines: list[bytes]) -> tuple[list[Any], list[int]]:
        """The rows that can be decoded and their numbers among the lines; the others become errors."""
        rows, numbers = [], []
        decode, errors = self._codec.decode_wrong, self._errors
        for number, line in enumerate(lines):
            if line in _BLANK or line.isspace():
                continue
            if len(line) > self._limits.line_max:
                errors.append(too_long(self.line + number, line, self._limits))
                continue
            try:
                rows.append(decode(line))
            except WRONG as error:
                errors.append(RowError(self.line + number, *explain(error), line))
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
        count, self._bytes = self._taken - self._checked, 0
        if not count:
            return
        arrays = (
            self._columns[0] if len(self._columns) == 1 else map(pa.concat_arrays, zip(*self._columns, strict=True))
        )
        wire = dict(zip(self._stream.row_schema.names, arrays, strict=True))
        part = check(self._stream, wire, count, self._source, start=self._checked)
        self._parts.append(part)
        self._checked += count
        self._columns = []
        self._wrong += len(part.errors)
        self._bound_errors()

    def _bound_errors(self) -> None:
        bound_errors(len(self._errors) + self._wrong, self._limits)


def too_long(line: int, raw: bytes, limits: Limits) -> RowError:
    """The error of a row over the limit; of the row itself only the beginning is kept."""
    size = f"{limits.line_max >> 20} MiB" if limits.line_max >= 1 << 20 else f"{limits.line_max} bytes"
    return RowError(line, None, f"line longer than {size}", raw[: limits.line_max], NONE)


def bound_errors(count: int, limits: Limits) -> None:
    """Raises BadRequest when more rows are wrong than may be."""
    if count > limits.errors_max:
        raise BadRequest(f"more than {limits.errors_max} rows of this batch are wrong; nothing of it was kept")
