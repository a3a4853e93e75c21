"""The types that columns and members are compared in, and the values that fit them."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any

import pyarrow as pa

from airtally.sql.filters import Comparable, Member, Subject
from airtally.streams.declaration import ACCOUNT, RECEIVED_AT, SEQUENCE, WRITER_ID, Stream, Type

_SERVER_COLUMNS = {
    ACCOUNT.name: Type.TEXT,
    RECEIVED_AT.name: Type.TIME,
    WRITER_ID.name: Type.TEXT,
    SEQUENCE.name: Type.INT64,
}
#: Characters of a caller's text that a refusal repeats.
_SHOWN = 64
#: Digits before the point that a decimal column has and a member read as one, and those after it that a value may
#: be written with.
_DECIMAL_DIGITS, _MEMBER_DIGITS, _DECIMAL_PLACES = 12, 36, 40


def type_of(stream: Stream, name: Subject) -> Type:
    """Raises ValueError for a column that the stream does not have, and for a member of one that has none."""
    if isinstance(name, Member):
        if type_of(stream, name.column) is not Type.JSON:
            raise ValueError(f"column {name.column} of stream {stream.name} has no members")
        return name.type
    if name in stream.by_name:
        return stream.by_name[name].type
    if name in _SERVER_COLUMNS:
        return _SERVER_COLUMNS[name]
    raise ValueError(f"stream {stream.name} has no column {name[:_SHOWN]!r}")


def whole_number(name: Subject, value: Comparable) -> int:
    """Raises ValueError for what is no whole number."""
    try:
        number = int(value)
    except (ValueError, OverflowError):
        number = None
    if number is None or isinstance(value, bool) or (not isinstance(value, str) and number != value):
        raise ValueError(f"column {name} holds whole numbers, not {_cut_value(value)}")
    return number


def decimal_text(name: Subject, value: Comparable) -> str:
    """A decimal number in digits. Raises ValueError also for a number larger or finer than any stored one."""
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise ValueError(f"column {name} holds decimal numbers, not {_cut_value(value)}") from None
    exponent = number.as_tuple().exponent
    endless = not isinstance(exponent, int) or exponent < -_DECIMAL_PLACES
    digits = _MEMBER_DIGITS if isinstance(name, Member) else _DECIMAL_DIGITS
    if endless or number.adjusted() >= digits:
        raise ValueError(f"column {name} holds numbers of at most {digits} digits, not {_cut_value(value)}")
    return format(number, "f")


def _cut_value(value: Comparable) -> str:
    return repr(str(value)[:_SHOWN] if isinstance(value, str) else value)[: _SHOWN + 2]


def storable_text(value: Comparable) -> str:
    """The text. Raises ValueError (UnicodeEncodeError) for half of a surrogate pair."""
    text = str(value)
    text.encode()
    return text


def listed_values(name: Subject, kind: Type, values: tuple[Comparable, ...]) -> pa.Array:
    """The distinct values in order, in the type that the column is compared in. Raises ValueError."""
    convert: dict[Type, Callable[[Comparable], Any]] = {
        Type.INT64: partial(whole_number, name),
        Type.DOUBLE: float,
        Type.DECIMAL: lambda value: Decimal(decimal_text(name, value)),
    }
    return pa.array(sorted({convert.get(kind, storable_text)(value) for value in values}), kind.arrow)
