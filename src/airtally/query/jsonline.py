"""Lines of JSON, declared as keys and columns and rendered by concatenation, which all engines do alike."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from sqlglot import exp

from airtally.kit.time import SECOND_US
from airtally.sql.capabilities import Capabilities
from airtally.sql.comparable import type_of
from airtally.sql.compiler import Binder, column, micros
from airtally.streams.declaration import Column, Stream, Type


@dataclass(frozen=True, slots=True)
class Fixed:
    """A constant, the same on every line."""

    value: str | int


@dataclass(frozen=True, slots=True)
class Integer:
    column: str


@dataclass(frozen=True, slots=True)
class Text:
    """A text column. With `plain` its pattern allows nothing that JSON escapes, so that escaping is left out."""

    column: str
    plain: bool = False


@dataclass(frozen=True, slots=True)
class EventDate:
    """`YYYY-MM-DD` of the event's time as stored: local time if the stream's times are local, otherwise UTC."""


@dataclass(frozen=True, slots=True)
class EventTime:
    """`HH:MM:SS` of the event's time as stored, without fractions of the second."""


Field = Fixed | Integer | Text | EventDate | EventTime
#: What differs from line to line.
Varying = Integer | Text | EventTime

_Piece = str | exp.Expr


@dataclass(frozen=True, slots=True)
class JsonLine:
    """One compact object with its keys in this order, and a line feed. Nulls are written as `null`."""

    fields: tuple[tuple[str, Field], ...]

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(value.column for _, value in self.fields if isinstance(value, Integer | Text))

    def layout(self, day: date) -> tuple[list[tuple[str, Varying]], str]:
        """What differs from line to line on a day, each after the text in front of it; and the text at the end."""
        found: list[tuple[str, Varying]] = []
        text = "{"
        for number, (key, value) in enumerate(self.fields):
            text += f"{',' if number else ''}{json.dumps(key, ensure_ascii=False)}:"
            match value:
                case Fixed(what):
                    text += json.dumps(what, ensure_ascii=False)
                case EventDate():
                    text += f'"{day}"'
                case _:
                    found.append((text, value))
                    text = ""
        return found, text + "}\n"


def rendered(line: JsonLine, binder: Binder, stream: Stream, day: date, capabilities: Capabilities) -> exp.Expr:
    """The line as an expression. Raises ValueError for a field whose column is of another type."""
    varying, end = line.layout(day)
    pieces: list[_Piece] = []
    for text, value in varying:
        pieces += [text, *_field_pieces(value, stream, capabilities)]
    return _concatenated(binder, [*pieces, end])


def _concatenated(binder: Binder, pieces: list[_Piece]) -> exp.Expr:
    """Concatenate the pieces; neighbouring texts become one bound value."""
    arguments: list[exp.Expr] = []
    for is_text, group in groupby(pieces, lambda piece: isinstance(piece, str)):
        if is_text:
            arguments.append(binder.value("".join(map(str, group))))
        else:
            arguments += [piece for piece in group if not isinstance(piece, str)]
    return _concat(*arguments)


def _field_pieces(value: Varying, stream: Stream, capabilities: Capabilities) -> list[_Piece]:
    if isinstance(value, EventTime):
        return ['"', _time_of_day(stream, capabilities), '"']
    found, text = stored_value(value, stream)
    if isinstance(value, Integer):
        return [_or_null(found, exp.cast(text, "text"))]
    if found.required or found.default is not None:
        return ['"', text, '"']
    return [_or_null(found, _concat(exp.Literal.string('"'), text, exp.Literal.string('"')))]


def stored_value(value: Integer | Text, stream: Stream) -> tuple[Column, exp.Expr]:
    """The column of a field, and its value: a number, or text that is escaped for a JSON string.

    Raises ValueError for a column of another type.
    """
    found = _of_type(stream, value.column, Type.INT64 if isinstance(value, Integer) else Type.TEXT)
    plain = isinstance(value, Integer) or value.plain
    return found, column(found.name) if plain else escaped(column(found.name))


def _of_type(stream: Stream, name: str, kind: Type) -> Column:
    if type_of(stream, name) is not kind or name not in stream.by_name:
        raise ValueError(f"column {name} of stream {stream.name} is not {kind}")
    return stream.by_name[name]


def _or_null(of: Column, text: exp.Expr) -> exp.Expr:
    if of.required or of.default is not None:
        return text
    return exp.Case().when(column(of.name).is_(exp.null()), exp.Literal.string("null")).else_(text)


def _time_of_day(stream: Stream, capabilities: Capabilities) -> exp.Expr:
    second = exp.Literal.number(SECOND_US)
    whole = exp.Mul(this=exp.IntDiv(this=micros(stream.time), expression=second), expression=second.copy())
    moment = exp.UnixToTime(this=whole, scale=exp.UnixToTime.MICROS)
    if capabilities.time_type:
        return exp.cast(exp.cast(moment, "time"), "text")
    text = exp.cast(moment, "text")  # in UTC, with years of four digits
    return exp.Substring(this=text, start=exp.Literal.number(12), length=exp.Literal.number(8))


def escaped(text: exp.Expr) -> exp.Expr:
    """Text escaped for the inside of a JSON string."""
    result: exp.Expr = text.copy()
    for old, new in _ESCAPES:
        result = exp.func("replace", result, old.copy(), exp.Literal.string(new))
    needed = exp.RegexpLike(this=text.copy(), expression=exp.Literal.string(r'[\x00-\x1f"\\]'))
    return exp.Case().when(needed, result).else_(text.copy())


def _concat(*pieces: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this="CONCAT", expressions=list(pieces))  # not `||`, which is slower


_SHORT = {8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r"}
_ESCAPES: list[tuple[exp.Expr, str]] = [
    (exp.Literal.string("\\"), "\\\\"),  # first, since the other escapes add backslashes
    (exp.Literal.string('"'), '\\"'),
    *((exp.Chr(expressions=[exp.Literal.number(code)]), _SHORT.get(code, f"\\u{code:04x}")) for code in range(32)),
]
