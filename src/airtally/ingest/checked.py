"""What decoding a body gives: the good rows, and for each wrong one its line, field and reason."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airtally.ingest.canonical import rows_as_checked
from airtally.streams.declaration import Stream


class RowError(msgspec.Struct, frozen=True, gc=False):
    """One refused row. `line` counts from 1 (rows of Parquet and Arrow, elements of a JSON array likewise);
    `field` is null where the row as a whole is wrong; `raw` is the row as received, for the formats that
    have no lines its JSON form. Of a line over the limit only the first MiB is kept. `row` is the row as JSON
    (`canonical.py`), None where `raw` is just that, empty where the row cannot be read again.
    """

    line: int
    field: str | None
    error: str
    raw: bytes
    row: bytes | None = None


class Source(Protocol):
    """Where the rows of a body came from. Positions count the decoded rows from 0. `is_json`: they were JSON."""

    is_json: bool

    def line(self, position: int) -> int: ...

    def raw(self, position: int) -> bytes: ...


class NoSource:
    """Rows that were made in the program."""

    is_json = True

    def line(self, position: int) -> int:
        return position + 1

    def raw(self, position: int) -> bytes:  # noqa: ARG002 (nothing was received)
        return b""


@dataclass(slots=True)
class Checked:
    """The rows of a body that may be stored, and the errors of the others, by line.

    `rows` has the stream's `row_schema` and keeps the order of arrival. `gone` are the positions in the
    body of decoded rows that are not in `rows`, ascending.
    """

    rows: pa.Table
    errors: list[RowError]
    source: Source = field(default_factory=NoSource)
    gone: Sequence[int] = ()
    stream: Stream | None = None

    def error(self, row: int, name: str | None, error: str) -> RowError:
        """The error as which row number `row` of `rows` would be refused."""
        return self._errors({row: (name, error)})[0]

    def without(self, wrong: pa.Array | pa.ChunkedArray, name: str | None, error: str) -> Checked:
        """The same with the rows marked true in `wrong` (as long as `rows`) refused for one reason."""
        refused = pc.indices_nonzero(pc.fill_null(wrong, False)).to_pylist()
        return self.without_rows(dict.fromkeys(refused, (name, error)))

    def without_rows(self, wrong: Mapping[int, tuple[str | None, str]]) -> Checked:
        """The same with some rows, by their number in `rows`, refused each for its field and reason."""
        if not wrong:
            return self
        refused = sorted(wrong)
        errors = [*self.errors, *self._errors({row: wrong[row] for row in refused})]
        errors.sort(key=lambda found: found.line)
        gone = sorted([*self.gone, *self._positions(refused)])
        keep = np.ones(self.rows.num_rows, dtype=bool)
        keep[refused] = False
        return Checked(self.rows.filter(pa.array(keep)), errors, self.source, gone, self.stream)

    def _errors(self, wrong: Mapping[int, tuple[str | None, str]]) -> list[RowError]:
        positions, source = self._positions(wrong), self.source
        forms: list[bytes] | list[None] = [None] * len(wrong)
        if not source.is_json and self.stream is not None:
            forms = rows_as_checked(self.stream, self.rows.take(pa.array(list(wrong))))
        return [
            RowError(source.line(position), name, error, source.raw(position), form)
            for position, (name, error), form in zip(positions, wrong.values(), forms, strict=True)
        ]

    def _positions(self, rows: Iterable[int]) -> list[int]:
        before = [position - count for count, position in enumerate(self.gone)]
        return [row + bisect_right(before, row) for row in rows]


def joined(schema: pa.Schema, parts: list[Checked], errors: list[RowError], source: Source) -> Checked:
    """One body from the parts it was checked in; `errors` are those of rows that could not be decoded."""
    if len(parts) == 1 and not errors:
        return parts[0]
    gone: list[int] = []
    for part in parts:
        gone.extend(part.gone)
        errors.extend(part.errors)
    errors.sort(key=lambda found: found.line)
    rows = pa.concat_tables([part.rows for part in parts]) if parts else schema.empty_table()
    return Checked(rows, errors, source, gone, parts[0].stream if parts else None)
