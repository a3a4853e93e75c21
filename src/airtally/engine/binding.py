"""Values become bound parameters, filters become conditions: no value is ever written into a query's text."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any

import pyarrow as pa
from sqlglot import exp

from airtally.engine.filters import (
    AllOf,
    AnyOf,
    Between,
    Comparable,
    Contains,
    Equals,
    Filter,
    IsNull,
    Like,
    Not,
    OneOf,
)
from airtally.engine.protocol import Relation, Statement, Value
from airtally.engine.scope import column
from airtally.kit.time import to_datetime
from airtally.streams.declaration import ACCOUNT, MACHINE, RECEIVED_AT, SEQUENCE, Stream, Type

#: A longer list of values is joined with as a relation instead of being bound one by one.
LONG_LIST = 64

_SERVER_COLUMNS = {
    ACCOUNT.name: Type.TEXT,
    RECEIVED_AT.name: Type.TIME,
    MACHINE.name: Type.TEXT,
    SEQUENCE.name: Type.INT64,
}
_INT64_MAX = (1 << 63) - 1
#: Digits before the point that a decimal column has, and those after it that a value may be written with.
_DECIMAL_DIGITS, _DECIMAL_PLACES = 12, 40
_TIMES = (Type.TIME, Type.LOCAL_TIME)


def type_of(stream: Stream, name: str) -> Type:
    """Raises ValueError for a column that the stream does not have."""
    if name in stream.by_name:
        return stream.by_name[name].type
    if name in _SERVER_COLUMNS:
        return _SERVER_COLUMNS[name]
    raise ValueError(f"stream {stream.name} has no column {name}")


def micros(name: str) -> exp.Expr:
    """A stored time as microseconds since epoch."""
    return exp.UnixMicros(this=column(name))


class Binder:
    """Collects the parameters and relations of one statement while its tree is built."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.parameters: dict[str, Value] = {}
        self.relations: dict[str, Relation] = {}

    def statement(self, tree: exp.Query) -> Statement:
        return Statement(tree, self.relations, self.parameters)

    def value(self, value: Value) -> exp.Expr:
        name = f"p{len(self.parameters)}"
        self.parameters[name] = value
        return exp.Placeholder(this=name)

    def relation(self, relation: Relation, name: str = "") -> exp.Table:
        name = f"{name or 'list'}_{len(self.relations)}"
        self.relations[name] = relation
        return exp.to_table(name)

    def time(self, at_us: int) -> exp.Expr:
        """Raises ValueError for a time before year 1 or after 9999."""
        try:
            text = to_datetime(at_us).isoformat(" ", "microseconds")
        except OverflowError:
            raise ValueError(f"there is no time {at_us} microseconds from 1970") from None
        return exp.cast(self.value(text), "timestamptz")

    def column(self, name: str) -> exp.Expr:
        """A column as it is compared and grouped by: a key that is matched without case in small letters."""
        type_of(self._stream, name)
        return exp.Lower(this=column(name)) if self._folds(name) else column(name)

    def _folds(self, name: str) -> bool:
        return name in self._stream.by_name and self._stream.by_name[name].fold_case

    def compared(self, name: str, value: Comparable) -> exp.Expr:
        """A value as the column of that name is compared with. Raises ValueError where that makes no sense."""
        kind = type_of(self._stream, name)
        if kind in _TIMES:
            return self.time(_whole(name, value))
        if kind is Type.DECIMAL:
            return exp.cast(self.value(_decimal(name, value)), "decimal(18,6)")
        if kind is Type.DOUBLE:
            return self.value(float(value))
        if kind is Type.INT64:
            return exp.cast(self.value(max(-_INT64_MAX, min(_whole(name, value), _INT64_MAX))), "bigint")
        return self.value(self._text(name, value))

    def _text(self, name: str, value: Comparable) -> str:
        return _text(value).lower() if self._folds(name) else _text(value)

    def condition(self, condition: Filter) -> exp.Expr:  # noqa: PLR0911 (one for each kind of filter)
        """Raises ValueError for a column that the stream does not have, or a value that does not suit it."""
        match condition:
            case Equals(name, value):
                return self._one_of(name, (value,))
            case OneOf(name, values):
                return self._one_of(name, values)
            case Between(name, at_least, below):
                return self._between(name, at_least, below)
            case Contains(name, text, fold_case):
                return self._contains(name, text, fold_case=fold_case)
            case Like(name, pattern):
                return self._like(name, pattern)
            case IsNull(name):
                return self.column(name).is_(exp.null())
            case Not(part):
                return exp.not_(self.condition(part))
            case AllOf(parts):
                return exp.and_(exp.true(), *(self.condition(part) for part in parts))
            case AnyOf(parts):
                return exp.or_(exp.false(), *(self.condition(part) for part in parts))

    def _one_of(self, name: str, values: tuple[Comparable, ...]) -> exp.Expr:
        kind = type_of(self._stream, name)
        if kind is Type.INT64:
            values = tuple(value for value in values if abs(_whole(name, value)) <= _INT64_MAX)
        if not values:
            return exp.false()
        if len(values) == 1:
            return self.column(name).eq(self.compared(name, values[0]))
        if len(values) <= LONG_LIST or kind in _TIMES:
            return self.column(name).isin(*(self.compared(name, value) for value in values))
        if self._folds(name):
            values = tuple(self._text(name, value) for value in values)
        listed = pa.table({"value": _listed(name, kind, values)})
        return self.column(name).isin(query=exp.select(column("value")).from_(self.relation(listed)))

    def _between(self, name: str, at_least: Comparable | None, below: Comparable | None) -> exp.Expr:
        sides: list[exp.Expr] = []
        if at_least is not None:
            sides.append(column(name) >= self.compared(name, at_least))
        if below is not None:
            sides.append(column(name) < self.compared(name, below))
        return exp.and_(exp.true(), *sides)

    def _contains(self, name: str, text: str, *, fold_case: bool) -> exp.Expr:
        self._check_text(name)
        where: exp.Expr = column(name)
        what = self.value(text)
        if fold_case:
            where, what = exp.Lower(this=where), exp.Lower(this=what)
        return exp.StrPosition(this=where, substr=what) > 0

    def _like(self, name: str, pattern: str) -> exp.Expr:
        self._check_text(name)
        if "*" not in pattern:
            return self.column(name).eq(self.compared(name, pattern))
        if _is_costly(pattern):
            return exp.RegexpLike(this=self.column(name), expression=self.value(_regex(self._text(name, pattern))))
        escaped = re.sub(r"([%_!])", r"!\1", self._text(name, pattern)).replace("*", "%")
        like = exp.Like(this=self.column(name), expression=self.value(escaped))
        return exp.Escape(this=like, expression=exp.Literal.string("!"))

    def _check_text(self, name: str) -> None:
        if type_of(self._stream, name) not in {Type.TEXT, Type.JSON}:
            raise ValueError(f"column {name} of stream {self._stream.name} holds no text")


def _is_costly(pattern: str) -> bool:
    """DuckDB's LIKE tries every place for every star but the last: with three it may not end, nor be interrupted."""
    inner = pattern.removesuffix("*")
    return inner.count("*") > 1


def _regex(pattern: str) -> str:
    return r"(?s)\A" + ".*".join(map(re.escape, re.split(r"\*+", pattern))) + r"\z"


def _whole(name: str, value: Comparable) -> int:
    if isinstance(value, bool) or int(value) != (value if not isinstance(value, str) else int(value)):
        raise ValueError(f"column {name} holds whole numbers, not {value!r}")
    return int(value)


def _decimal(name: str, value: Comparable) -> str:
    """Raises ValueError too for what no stored number can be: its digits would be written out."""
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise ValueError(f"column {name} holds decimal numbers, not {value!r}") from None
    exponent = number.as_tuple().exponent
    endless = not isinstance(exponent, int) or exponent < -_DECIMAL_PLACES
    if endless or number.adjusted() >= _DECIMAL_DIGITS:
        raise ValueError(f"column {name} holds numbers of at most {_DECIMAL_DIGITS} digits, not {value!r}")
    return format(number, "f")


def _text(value: Comparable) -> str:
    """Raises ValueError (UnicodeEncodeError) for half of a surrogate pair."""
    text = str(value)
    text.encode()
    return text


def _listed(name: str, kind: Type, values: tuple[Comparable, ...]) -> pa.Array:
    convert: dict[Type, Callable[[Comparable], Any]] = {
        Type.INT64: partial(_whole, name),
        Type.DOUBLE: float,
        Type.DECIMAL: lambda value: Decimal(_decimal(name, value)),
    }
    return pa.array(sorted({convert.get(kind, _text)(value) for value in values}), kind.arrow)
