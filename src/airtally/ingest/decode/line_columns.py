"""Reads lines of JSON as columns, all at once, where that gives exactly what reading each line by itself gives.

The library for columns reads some texts that `rows.py` refuses, and some as other values: several objects in a line, NaN,
text that is not UTF-8, -0 as a number. Lines with any of these are declined, as are those that it cannot read, such as
lines with a value of a JSON column. So are lines in which a check finds an error: whoever reads them one by one words it.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as arrow_json

from airtally.ingest.decode.line_form import LineColumns, LineForm
from airtally.kit.cache import Cache
from airtally.streams.declaration import Stream, Type

#: Most bytes of lines read in one step: so few that the memory for them is used again and again.
COLUMNS_SLICE = 512 << 10
#: A body of fewer bytes is read row by row: each step has a cost of its own, of half a millisecond.
FEWEST_BYTES = 128 << 10
#: After lines that were declined, twice as many are read one by one before columns are tried again; at most this often.
_DOUBLED_MOST = 6

_WIRE = {Type.INT64: pa.int64(), Type.DOUBLE: pa.float64(), Type.DECIMAL: Type.DECIMAL.arrow}
#: -0.0 as an integer of the same bits, the smallest there is.
_MINUS_ZERO = -(2**63)


class ColumnTries:
    """When lines of a body are tried as columns: ever more rarely where they are declined, so that little work is lost."""

    def __init__(self) -> None:
        self._left = 0  # bytes that are still to be read one by one
        self._declined = 0  # tries since the last one that succeeded

    @property
    def due(self) -> bool:
        return self._left <= 0

    def taken(self) -> None:
        self._declined = 0

    def declined(self, size: int) -> None:
        """Lines of `size` bytes were declined, and are now read one by one."""
        self._left = size << min(self._declined, _DOUBLED_MOST)
        self._declined += 1

    def read_one_by_one(self, size: int) -> None:
        self._left -= size


class LineReader:
    """Reads the lines of one stream. Thread-safe: it has no state."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self._declines = [b'"%s"' % column.name.encode() for column in stream.columns if column.type is Type.JSON]
        self._doubles = [column.name for column in stream.columns if column.type is Type.DOUBLE]
        fields = [
            (column.name, _WIRE.get(column.type, pa.string()))
            for column in stream.columns
            if column.type is not Type.JSON
        ]
        self._options = arrow_json.ParseOptions(explicit_schema=pa.schema(fields), unexpected_field_behavior="error")

    def read(self, lines: bytes) -> LineColumns | None:
        """The columns of whole lines; None if they are declined."""
        if lines[:1] != b"{" or b"\0" in lines or not _is_utf8(lines):
            return None
        first = lines[: lines.find(b"\n") + 1] or lines
        form = LineForm.of(self.stream, first)
        found = None if form is None else form.read(lines)
        if found is None:
            found = self._of_any_form(lines, first)
        if found is None or any(
            _has_minus_zero(found.columns[name]) for name in self._doubles if name in found.columns
        ):
            return None
        return found

    def _of_any_form(self, lines: bytes, first: bytes) -> LineColumns | None:
        count = _count_objects(lines)
        if not count or any(name in first for name in self._declines):
            return None
        try:
            table = arrow_json.read_json(pa.BufferReader(lines), _as_one_block(lines), self._options)
        except pa.ArrowException:
            return None
        if table.num_rows != count:
            return None
        return LineColumns({name: table.column(name).combine_chunks() for name in table.column_names}, count)


_READERS: Cache[str, LineReader] = Cache(100)


def line_reader(stream: Stream) -> LineReader:
    """The reader of a stream, which is cached."""
    found = _READERS.get(stream.name)
    if found is None or found.stream is not stream:
        found = LineReader(stream)
        _READERS.put(stream.name, found)
    return found


def _count_objects(lines: bytes) -> int:
    """The number of lines, if each begins with { and ends with }; else 0.

    Then no object goes on in the next line: within one, no { comes right after a }.
    """
    seams = lines.count(b"}\n{") + (lines.count(b"}\r\n{") if b"\r" in lines else 0)
    ends = lines.count(b"\n")
    if lines.endswith((b"}\n", b"}\r\n")):
        return ends if seams == ends - 1 else 0
    return ends + 1 if seams == ends and lines.endswith(b"}") else 0


def _is_utf8(text: bytes) -> bool:
    if text.isascii():
        return True
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _as_one_block(lines: bytes) -> arrow_json.ReadOptions:
    """Read as one block: on this thread, whose turn it is."""
    return arrow_json.ReadOptions(use_threads=False, block_size=len(lines) + 1)


def _has_minus_zero(numbers: pa.Array) -> bool:
    return bool(pc.min(numbers.view(pa.int64())).as_py() == _MINUS_ZERO)
