"""Turns JSON objects, from lines or from an array, into checked rows."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from airtally.ingest.canonical import NONE
from airtally.ingest.checked import Checked, joined
from airtally.ingest.decode.limits import DecodeLimits
from airtally.ingest.decode.line_columns import COLUMNS_SLICE, ColumnTries, line_reader
from airtally.ingest.decode.rows import BLANK, WRONG, Codec, codec
from airtally.ingest.row_errors import Ints, RefusedRows
from airtally.ingest.validate import check
from airtally.kit import metrics
from airtally.kit.errors import BadRequest
from airtally.kit.fair import pause
from airtally.streams.declaration import Stream

#: Rows turned into columns in one step, and rows and bytes checked in one step.
ROWS_TO_COLUMNS = 2_000
ROWS_TO_CHECK = 50_000
BYTES_TO_CHECK = 16 << 20

#: Rows decoded in one step: some milliseconds if all are wrong.
_SLICE_ROWS = 2048

#: How a body was read, for `/metrics`.
_COLUMNS, _ROWS, _BOTH = "columns", "rows", "both"


@dataclass(slots=True, frozen=True)
class _Piece:
    """The lines of rows: `numbers` has their places if not every line is a row.

    `again` reads the lines again, after `begin` others.
    """

    position: int
    first_line: int
    count: int
    numbers: Ints | None
    again: Callable[[], list[bytes]]
    begin: int


class JsonLines:
    """The source of JSON rows: reads a row's line again instead of keeping it."""

    is_json = True

    def __init__(self, line_max: int) -> None:
        self._line_max = line_max
        self._pieces: list[_Piece] = []
        self._last: tuple[_Piece | None, list[bytes]] = (None, [])

    def add(self, piece: _Piece) -> None:
        self._pieces.append(piece)

    def lines(self, positions: Ints) -> Ints:
        starts = np.array([piece.position for piece in self._pieces], dtype=np.int64)
        which = np.searchsorted(starts, positions, side="right") - 1
        cuts = [0, *(np.flatnonzero(np.diff(which)) + 1).tolist(), len(which)]
        found = np.empty(len(positions), dtype=np.int64)
        for begin, end in pairwise(cuts):
            if begin < end:
                piece = self._pieces[which[begin]]
                offsets = positions[begin:end] - piece.position
                found[begin:end] = (offsets if piece.numbers is None else piece.numbers[offsets]) + piece.first_line
        return found

    def raws(self, lines: Sequence[int]) -> list[bytes]:
        return list(map(self._raw, lines))

    def _raw(self, line: int) -> bytes:
        piece, texts = self._last
        if piece is None or not 0 <= line - piece.first_line < piece.count:
            found = self._pieces[bisect_right(self._pieces, line, key=lambda each: each.first_line) - 1]
            if piece is None or piece.again is not found.again:
                texts = found.again()
            piece = found
            self._last = (piece, texts)
        return texts[piece.begin + line - piece.first_line][: self._line_max]


class Gatherer:
    """Decodes lines or elements of an array, gathers rows into columns, and checks them in parts."""

    def __init__(self, stream: Stream, limits: DecodeLimits, first_line: int = 1) -> None:
        self.line = first_line
        self._stream = stream
        self._codec: Codec = codec(stream)
        self._limits = limits
        self._source = JsonLines(limits.line_max)
        self._rows: list[Any] = []
        self._columns: list[list[pa.Array]] = []
        self._parts: list[Checked] = []
        self._refused, self._long = RefusedRows(self._codec.reason), RefusedRows()
        self._wrong = 0  # rows found wrong by `check`
        self._taken = 0  # rows decoded
        self._checked = 0  # of these, rows checked
        self._bytes = 0  # of the lines not checked yet
        self._ways: set[str] = set()
        self._tries = ColumnTries()

    def skip(self, lines: int) -> None:
        """Skip blank lines."""
        self.line += lines

    @property
    def columns_most(self) -> int:
        """Most bytes of lines to be given to `take_columns` now, so few that no line is too long; 0 for none."""
        return min(COLUMNS_SLICE, self._limits.line_max) if self._limits.columns and self._tries.due else 0

    def take_columns(self, lines: bytes, again: Callable[[], list[bytes]]) -> bool:
        """Add whole lines, read as columns; False if they are declined and are to be taken one by one."""
        read = line_reader(self._stream).read(lines)
        found = None if read is None else check(self._stream, read.columns, read.count)
        if read is None or found is None or found.errors:
            self._tries.declined(len(lines))
            return False
        self._check()  # rows are in order of arrival
        self._source.add(_Piece(self._taken, self.line, read.count, None, again, 0))
        self._parts.append(Checked(found.rows, [], self._source, stream=self._stream))
        self.line += read.count
        self._taken += read.count
        self._checked = self._taken
        self._ways.add(_COLUMNS)
        self._tries.taken()
        return True

    def take(self, lines: list[bytes], size: int, again: Callable[[], list[bytes]]) -> None:
        """Add lines of `size` bytes in all; many short lines are added in steps.

        Raises BadRequest if more rows are wrong than the limit.
        """
        self._ways.add(_ROWS)
        self._tries.read_one_by_one(size)
        if len(lines) <= _SLICE_ROWS:
            self._take(lines, size, again)
            return
        for begin in range(0, len(lines), _SLICE_ROWS):
            pause()
            some = lines[begin : begin + _SLICE_ROWS]
            self._take(some, sum(map(len, some)), again, begin)

    def _take(self, lines: list[bytes], size: int, again: Callable[[], list[bytes]], begin: int = 0) -> None:
        numbers = self._decode(lines, size)
        self._source.add(_Piece(self._taken, self.line, len(lines), numbers, again, begin))
        self.line += len(lines)
        self._taken += len(lines) if numbers is None else len(numbers)
        self._bytes += size
        self._bound_errors()
        if len(self._rows) >= ROWS_TO_COLUMNS:
            self._to_columns()
        if self._taken - self._checked >= ROWS_TO_CHECK or self._bytes >= BYTES_TO_CHECK:
            self._check()

    def finish(self) -> Checked:
        self._check()
        if self._ways:
            metrics.BODIES_READ.labels(_BOTH if len(self._ways) > 1 else next(iter(self._ways))).inc()
        wrong = [self._refused.block(), self._long.block(lambda places: [NONE] * len(places))]
        return joined(self._stream.row_schema, self._parts, wrong, self._source)

    def _decode(self, lines: list[bytes], size: int) -> Ints | None:
        """Add the rows that can be decoded; returns the places of their lines, None if all can."""
        places = None if size <= self._limits.line_max else self._within_limit(lines)
        texts = lines if places is None else [lines[place] for place in places]
        wrong: list[int] = []
        stopped = self._decode_until_blank(texts, 0, places, wrong)
        if stopped < len(texts):
            filled = [*range(stopped), *_filled(texts, stopped)]
            places = np.array(filled) if places is None else places[filled]
            self._decode_until_blank([texts[place] for place in filled], stopped, places, wrong)
        if wrong:
            places = np.delete(np.arange(len(lines)) if places is None else places, wrong)
        return places

    def _decode_until_blank(self, texts: list[bytes], begin: int, places: Ints | None, wrong: list[int]) -> int:
        """Decode from `begin` to the first blank line or the end, adding wrong rows to `wrong`.

        `extend` keeps what it has when a row fails, so each row is decoded once.
        """
        rows, decode, at = self._rows, self._codec.decode, begin
        left = islice(texts, begin, None) if begin else iter(texts)
        second_look, refuse, line = self._codec.second_look, self._refused.add, self.line
        while True:
            before = len(rows)
            try:
                rows.extend(map(decode, left))
            except WRONG as error:
                at += len(rows) - before
                text = texts[at]
                reason = second_look(text, error, rows)
                if reason is BLANK:
                    return at
                if reason is not None:
                    wrong.append(at)
                    refuse(line + (at if places is None else int(places[at])), reason)
                at += 1
            else:
                return len(texts)

    def _within_limit(self, lines: list[bytes]) -> Ints:
        """The places of lines within the length limit. Longer ones are refused unless they are blank."""
        longest = self._limits.line_max
        long = [place for place, line in enumerate(lines) if len(line) > longest and not line.isspace()]
        for place in long:
            self._long.add(self.line + place, (None, too_long(self._limits)))
        return np.delete(np.arange(len(lines)), long)

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
        bound_errors(len(self._refused) + len(self._long) + self._wrong, self._limits)


def _filled(lines: list[bytes], begin: int) -> list[int]:
    """The places, from `begin` on, of lines that are not blank."""
    sizes = np.fromiter(map(len, islice(lines, begin, None)), np.int64, len(lines) - begin)
    return [place for place in (np.flatnonzero(sizes) + begin).tolist() if not lines[place].isspace()]


def too_long(limits: DecodeLimits) -> str:
    """The error of a row over the length limit, of which only the beginning is kept."""
    size = f"{limits.line_max >> 20} MiB" if limits.line_max >= 1 << 20 else f"{limits.line_max} bytes"
    return f"line longer than {size}"


def bound_errors(count: int, limits: DecodeLimits) -> None:
    """Raises BadRequest if more rows are wrong than the limit."""
    if count > limits.errors_max:
        raise BadRequest(f"more than {limits.errors_max} rows of this batch are wrong; nothing of it was kept")
