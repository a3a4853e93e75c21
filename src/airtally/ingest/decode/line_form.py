"""Reads lines of JSON that all have the same form: the same members in the same order, written alike.

Programs write such lines. Only the values differ, so that quotation marks alone tell where each one lies: the text
between values is compared with that of the first line, and values are cut out of the body, without the interpreter's lock.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from airtally.ingest.row_errors import Ints
from airtally.streams.declaration import Column, Stream, Type

_MEMBER = re.compile(
    rb'"([A-Za-z0-9_]+)"(: ?)(?:("[^"\\\x00-\x1f]*")|(null)|-?[0-9][0-9.eE+-]*|true|false|\{\}|\[\])(, ?|\})'
)
_NUMBER = r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$"
_QUOTE = 0x22
_WIDTHS = (8, 4, 2, 1)  # of words: bytes compared at once
_NUMBERS = frozenset({Type.INT64, Type.DOUBLE})


@dataclass(frozen=True, slots=True)
class LineColumns:
    """Lines as columns by the name of each: `count` values, texts for times; a column that no line has is left out."""

    columns: Mapping[str, pa.Array]
    count: int


@dataclass(frozen=True, slots=True)
class _Value:
    """A value that differs from line to line: the text `before` it, up to the value before, is the same in all."""

    column: Column
    is_quoted: bool
    before: bytes


@dataclass(frozen=True, slots=True)
class LineForm:
    """The form of a line: its values, and the text after the last one, without and with the end of the line."""

    values: Sequence[_Value]
    after: bytes
    line_end: bytes

    @classmethod
    def of(cls, stream: Stream, line: bytes) -> LineForm | None:
        """The form of a line with its end; None for a line in which something else than plain values of columns is."""
        text = line.rstrip(b"\r\n")
        values: list[_Value] = []
        named: set[str] = set()
        fixed, at = b"{", 1
        while at < len(text):
            member = _MEMBER.match(text, at)
            if member is None:
                return None
            name, colon, quoted, null, separator = member.groups()
            column = stream.by_name.get(name.decode())
            if column is None or column.name in named:
                return None
            named.add(column.name)
            fixed += b'"%s"%s' % (name, colon)
            if null is not None:
                fixed += null + separator
            else:
                values.append(_Value(column, quoted is not None, fixed + (b'"' if quoted else b"")))
                fixed = (b'"' if quoted else b"") + separator
            at = member.end()
            if (separator == b"}") != (at == len(text)):
                return None
        return cls(values, fixed, line[len(text) :]) if values and text[:1] == b"{" else None

    def read(self, lines: bytes) -> LineColumns | None:
        """The columns of lines in UTF-8, with ends but for the last one's; None if one of them has another form."""
        places = _Places(lines, self)
        spans = places.spans()
        if spans is None:
            return None
        columns: dict[str, pa.Array] = {}
        for value, (starts, ends) in zip(self.values, spans, strict=True):
            is_raw = value.column.type is Type.JSON and value.is_quoted
            found = _typed_values(value, places.texts(starts - is_raw, ends + is_raw))
            if found is None:
                return None
            columns[value.column.name] = found
        return LineColumns(columns, places.count)


class _Places:
    """Where in some lines the values of a form are."""

    def __init__(self, lines: bytes, form: LineForm) -> None:
        self._form = form
        self._lines = lines
        self._between = form.after + form.line_end
        self._bytes = np.frombuffer(lines, np.uint8)
        self._source = pa.py_buffer(lines)
        self.count = 0

    def spans(self) -> list[tuple[Ints, Ints]] | None:
        """Begin and end of each value in all lines; None if the lines are not of the form."""
        quotes = self._quotes()
        if quotes is None or not self._has_plain_texts():
            return None
        begins, last = [], -1
        for value in self._form.values:
            last += value.before.count(b'"')
            begins.append(quotes[last] - value.before.rfind(b'"'))
        tails = begins[0][1:] - len(self._between)
        fixed = [(tails, self._between), *zip(begins, (value.before for value in self._form.values), strict=True)]
        if begins[0][0] != 0 or not all(self._fits(at, text) and self._holds(at, text) for at, text in fixed):
            return None
        ends = [*begins[1:], np.append(tails, len(self._lines) - len(self._ending()))]
        starts = [begin + len(value.before) for begin, value in zip(begins, self._form.values, strict=True)]
        spans = list(zip(starts, ends, strict=True))
        self._every_second = pa.array(np.arange(0, 2 * self.count, 2, dtype=np.int32))
        return spans if all(bool(np.all(start <= end)) for start, end in spans) else None

    def texts(self, starts: Ints, ends: Ints) -> pa.Array:
        """The texts between places of each line."""
        offsets = np.empty(2 * self.count, np.int32)
        offsets[0::2], offsets[1::2] = starts, ends
        # a text, then what is between it and the next one
        both = pa.Array.from_buffers(pa.string(), 2 * self.count - 1, [None, pa.py_buffer(offsets), self._source])
        return both.take(self._every_second)

    def _quotes(self) -> Ints | None:
        """The places of quotation marks: a row for each of a line, with a column for each line; None if numbers differ."""
        places = np.flatnonzero(self._bytes == _QUOTE)
        each = sum(value.before.count(b'"') for value in self._form.values) + self._form.after.count(b'"')
        self.count, rest = divmod(len(places), each)
        return places.reshape(self.count, each).T if self.count and not rest else None

    def _ending(self) -> bytes:
        """What comes after the last value of the last line."""
        return self._between if self._lines.endswith(b"\n") else self._form.after

    def _has_plain_texts(self) -> bool:
        """Whether texts have neither escapes nor control characters, which leaves the ends of lines alone."""
        ends = len(self._form.line_end) * self.count
        if not self._lines.endswith(b"\n"):
            ends -= len(self._form.line_end)
        plain = b"\\" not in self._lines and np.count_nonzero(self._bytes < 0x20) == ends
        return plain and self._lines.endswith(self._ending())

    def _fits(self, begins: Ints, text: bytes) -> bool:
        return not len(begins) or bool(begins.min() >= 0 and begins.max() + len(text) <= len(self._lines))

    def _holds(self, begins: Ints, text: bytes) -> bool:
        """Whether the lines have a text at each of these places, after each of which it would fit."""
        width = next(width for width in _WIDTHS if width <= len(text))
        words = self._words(width)
        # the last word ends with the text, and may begin within the one before
        for at in (*range(0, len(text) - width, width), len(text) - width):
            wanted = words.dtype.type(int.from_bytes(text[at : at + width], "little"))
            if not bool(np.all(words[begins + at] == wanted)):
                return False
        return True

    def _words(self, width: int) -> npt.NDArray[np.unsignedinteger[Any]]:
        """The words of some bytes that begin at each place."""
        return np.ndarray((len(self._lines) - width + 1,), f"<u{width}", self._lines, strides=(1,))


def _typed_values(value: _Value, texts: pa.Array) -> pa.Array | None:
    """A column as it is to be checked; None if a value is of another type, or no JSON number."""
    wanted = value.column.type
    if wanted is Type.JSON:
        return texts
    if value.is_quoted:
        return None if wanted in _NUMBERS else texts
    if wanted is Type.INT64:
        return _json_integers(texts)
    if wanted is Type.DOUBLE or wanted is Type.DECIMAL:
        return _json_numbers(texts, as_texts=wanted is Type.DECIMAL)
    return None


def _json_integers(texts: pa.Array) -> pa.Array | None:
    """None unless each is written as the library writes it: it reads more than JSON allows."""
    try:
        numbers = pc.cast(texts, pa.int64())
    except pa.ArrowInvalid:
        return None
    return numbers if pc.cast(numbers, pa.string()).equals(texts) else None


def _json_numbers(texts: pa.Array, *, as_texts: bool) -> pa.Array | None:
    distinct = pc.dictionary_encode(texts)
    if not pc.all(pc.match_substring_regex(distinct.dictionary, _NUMBER)).as_py():
        return None
    if as_texts:
        return texts
    try:
        return pc.cast(distinct.dictionary, pa.float64()).take(distinct.indices)
    except pa.ArrowInvalid:
        return None
