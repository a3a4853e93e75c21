"""The result of decoding and checking a body: the good rows, and line, field and reason of each wrong one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airtally.ingest.canonical import rows_as_checked
from airtally.ingest.row_errors import Codes, Errors, Ints, Reason, RowError, Wrong
from airtally.streams.declaration import Stream


class RowSource(Protocol):
    """The body that rows came from. Positions count its decoded rows from 0. `is_json`: the rows were JSON."""

    is_json: bool

    def lines(self, positions: Ints) -> Ints:
        """The lines of the rows at `positions`, which ascend."""

    def raws(self, lines: Sequence[int]) -> list[bytes]:
        """The text received in `lines`, which ascend."""


class NoSource:
    """The source of rows that the program makes itself."""

    is_json = True

    def lines(self, positions: Ints) -> Ints:
        return positions + 1

    def raws(self, lines: Sequence[int]) -> list[bytes]:
        return [b""] * len(lines)


@dataclass(slots=True)
class Checked:
    """The good rows of a body, and the errors of the others, by line.

    `rows` has the stream's `row_schema`, in order of arrival. `gone` are the positions of decoded rows that are not in
    `rows`, ascending.
    """

    rows: pa.Table
    errors: Sequence[RowError]
    source: RowSource = field(default_factory=NoSource)
    gone: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    stream: Stream | None = None

    def error(self, row: int, name: str | None, error: str) -> RowError:
        """The error for refusing row number `row` of `rows`."""
        return Errors(self.source, [self._wrong(np.array([row]), np.zeros(1, np.int32), [(name, error)])])[0]

    def without(self, wrong: pa.Array | pa.ChunkedArray, name: str | None, error: str) -> Checked:
        """A copy in which the rows that are true in `wrong` (as long as `rows`) are refused for one reason."""
        refused = pc.indices_nonzero(wrong).to_numpy().astype(np.int64)
        return self._without(refused, np.zeros(len(refused), np.int32), [(name, error)])

    def without_rows(self, wrong: Mapping[int, Reason]) -> Checked:
        """A copy in which some rows, by their number in `rows`, are refused, each for its field and reason."""
        refused = np.array(sorted(wrong), dtype=np.int64)
        codes: dict[Reason, int] = {}
        coded = [codes.setdefault(wrong[row], len(codes)) for row in refused.tolist()]
        return self._without(refused, np.array(coded, dtype=np.int32), list(codes))

    def _without(self, refused: Ints, codes: Codes, reasons: Sequence[Reason]) -> Checked:
        if not len(refused):
            return self
        errors = Errors.of(self.source, self.errors).with_more(self._wrong(refused, codes, reasons))
        gone = np.sort(np.concatenate([self.gone, self._positions(refused)]))
        keep = np.ones(self.rows.num_rows, dtype=bool)
        keep[refused] = False
        return Checked(self.rows.filter(pa.array(keep)), errors, self.source, gone, self.stream)

    def _wrong(self, refused: Ints, codes: Codes, reasons: Sequence[Reason]) -> Wrong:
        lines, stream = self.source.lines(self._positions(refused)), self.stream
        if self.source.is_json or stream is None:
            return Wrong(lines, codes, reasons)
        rows = self.rows.take(pa.array(refused))
        return Wrong(lines, codes, reasons, lambda places: rows_as_checked(stream, rows.take(pa.array(places))))

    def _positions(self, rows: Ints) -> Ints:
        before = self.gone - np.arange(len(self.gone))
        return rows + np.searchsorted(before, rows, side="right")


def joined(schema: pa.Schema, parts: list[Checked], wrong: list[Wrong], source: RowSource) -> Checked:
    """Join the parts in which one body was checked; `wrong` are rows that could not be decoded."""
    wrong = [block for block in wrong if len(block.lines)]
    if len(parts) == 1 and not wrong:
        return parts[0]
    errors = Errors(source, wrong)
    for part in parts:
        errors = errors.with_all(Errors.of(source, part.errors))
    rows = pa.concat_tables([part.rows for part in parts]) if parts else schema.empty_table()
    gone = np.concatenate([np.empty(0, np.int64), *(part.gone for part in parts)])
    return Checked(rows, errors, source, gone, parts[0].stream if parts else None)
