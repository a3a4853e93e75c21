"""Compiles filters into conditions, and values into bound parameters: no value is written into a query's text."""

from __future__ import annotations

import re
from collections.abc import Hashable
from decimal import Decimal

import pyarrow as pa
from sqlglot import exp

from airtally.kit.time import to_datetime
from airtally.sql.case import folded, folded_sql
from airtally.sql.comparable import decimal_text, listed_values, storable_text, type_of, whole_number
from airtally.sql.filters import (
    AllOf,
    AnyOf,
    Begins,
    Between,
    Comparable,
    Contains,
    Equals,
    Filter,
    Holds,
    IsNull,
    Like,
    Member,
    Names,
    Not,
    OneOf,
    Subject,
)
from airtally.sql.members import any_listed, member_numbers, member_text, member_texts, same_listed
from airtally.sql.numbers import JsonNumber, json_number
from airtally.sql.statement import Relation, Statement, Value
from airtally.streams.declaration import Stream, Type

#: A longer list of values is joined with as a relation instead of being bound one by one.
LONG_LIST = 64

INT64_MAX = (1 << 63) - 1
_TIMES = (Type.TIME, Type.LOCAL_TIME)


def as_type(value: exp.Expr, kind: exp.DType) -> exp.Cast:
    """A cast built without parsing the type, which would cost time at each query."""
    return exp.Cast(this=value, to=exp.DataType(this=kind))


def column(name: str, table: str | None = None) -> exp.Column:
    """A column by name, always quoted."""
    return exp.column(exp.to_identifier(name, quoted=True), exp.to_identifier(table, quoted=True) if table else None)


def micros(name: str) -> exp.Expr:
    """A stored time as microseconds since epoch."""
    return exp.UnixMicros(this=column(name))


class Binder:
    """Collects the parameters and relations of one statement while its tree is built."""

    def __init__(self, stream: Stream, *, in_small_letters: bool = False) -> None:
        self._stream = stream
        self._in_small_letters = in_small_letters
        self.parameters: dict[str, Value] = {}
        self.relations: dict[str, Relation] = {}

    def of_segments(self) -> Binder:
        """For conditions on a rollup's segments in the same statement: keys matched without case are lower-case there."""
        return self._sharing(Binder(self._stream, in_small_letters=True))

    def over(self, stream: Stream) -> Binder:
        """For another stream's part of the same statement."""
        return self._sharing(Binder(stream))

    def _sharing(self, other: Binder) -> Binder:
        other.parameters, other.relations = self.parameters, self.relations
        return other

    def statement(self, tree: exp.Query, key: Hashable | None = None) -> Statement:
        return Statement(tree, self.relations, self.parameters, key)

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
        return as_type(self.value(text), exp.DType.TIMESTAMPTZ)

    def column(self, name: Subject) -> exp.Expr:
        """A column as it is compared and grouped by: in small letters where it is a key matched without case."""
        stored = self._stored(name)
        return folded_sql(stored) if self._folds(name) and not self._in_small_letters else stored

    def compared(self, name: Subject, value: Comparable) -> exp.Expr:
        """A value to compare a column with, in the column's type. Raises ValueError where it has no such value."""
        kind = type_of(self._stream, name)
        if kind in _TIMES:
            return self.time(whole_number(name, value))
        if kind is Type.DECIMAL:
            return exp.cast(self.value(decimal_text(name, value)), "decimal(18,6)")
        if kind is Type.DOUBLE:
            return self.value(float(value))
        if kind is Type.INT64:
            return exp.cast(self.value(max(-INT64_MAX, min(whole_number(name, value), INT64_MAX))), "bigint")
        return self.value(self._text(name, value))

    def _stored(self, name: Subject) -> exp.Expr:
        type_of(self._stream, name)
        return self._member(name) if isinstance(name, Member) else column(name)

    def _member(self, member: Member) -> exp.Expr:
        return member_text(column(member.column), self.value(member.name))

    def double(self, member: Member) -> exp.Expr:
        """A member that is read as a double, null where it is no number."""
        return self._number(member).rest

    def _number(self, name: Subject) -> JsonNumber:
        """A number inside JSON: a member that is read as one, or the whole text of a JSON column."""
        return json_number(self._stored(name), type_of(self._stream, name))

    def _folds(self, name: Subject) -> bool:
        return name in self._stream.by_name and self._stream.by_name[name].fold_case

    def _text(self, name: Subject, value: Comparable) -> str:
        return folded(storable_text(value)) if self._folds(name) else storable_text(value)

    def condition(self, condition: Filter) -> exp.Expr:  # noqa: C901, PLR0911 (one for each kind of filter)
        """Raises ValueError for a column that the stream does not have, or a value that does not suit it."""
        match condition:
            case Equals(name, value):
                return self._one_of(name, (value,))
            case OneOf(name, values):
                return self._one_of(name, values)
            case Between():
                return self._between(condition)
            case Contains(name, text, fold_case):
                return self._contains(name, text, fold_case=fold_case)
            case Like(name, pattern):
                return self._like(name, pattern)
            case IsNull(name):
                return self._number(name).is_null if _is_number(name) else self.column(name).is_(exp.null())
            case Holds(member, texts, exactly):
                return self._holds(member, texts, exactly=exactly)
            case Names(name, member, values):
                return self._names(name, member, values)
            case Begins():
                return self._begins(condition)
            case Not(part):
                return exp.not_(self.condition(part))
            case AllOf(parts):
                return exp.and_(exp.true(), *(self.condition(part) for part in parts), copy=False)
            case AnyOf(parts):
                return exp.or_(exp.false(), *(self.condition(part) for part in parts), copy=False)

    def _one_of(self, name: Subject, values: tuple[Comparable, ...]) -> exp.Expr:  # noqa: PLR0911 (one for each way)
        kind = type_of(self._stream, name)
        if _is_number(name):
            return self._numbers_in(name, values)
        if kind is Type.JSON and not all(isinstance(value, str) for value in values):
            return self._one_of_json(name, values)
        if kind is Type.INT64 or (kind in _TIMES and len(values) > 1):
            values = tuple(value for value in values if abs(whole_number(name, value)) <= INT64_MAX)
        if not values:
            return exp.false()
        if len(values) == 1:
            return self.column(name).eq(self.compared(name, values[0]))
        if kind in _TIMES:  # as numbers: DuckDB cannot hand a list of zoned times on to an Arrow table
            return self._micros_in(name, values)
        if len(values) <= LONG_LIST:
            return self.column(name).isin(*(self.compared(name, value) for value in values))
        if self._folds(name):
            values = tuple(self._text(name, value) for value in values)
        return self.column(name).isin(query=self._listed(listed_values(name, kind, values)))

    def _one_of_json(self, name: Subject, values: tuple[Comparable, ...]) -> exp.Expr:
        """Texts are compared with the JSON as it is written, numbers with the number that it is."""
        texts = tuple(value for value in values if isinstance(value, str))
        numbers = tuple(value for value in values if not isinstance(value, str))
        return exp.or_(self._one_of(name, texts), self._numbers_in(name, numbers))

    def _numbers_in(self, name: Subject, values: tuple[Comparable, ...]) -> exp.Expr:
        if not values:
            return exp.false()
        number, decimals = self._number(name), [self._number_of(name, value) for value in values]
        if len(decimals) <= LONG_LIST:
            return number.one_of(decimals, self.value)
        return number.one_of_many(decimals, self._listed)

    def _number_of(self, name: Subject, value: Comparable) -> Decimal:
        if type_of(self._stream, name) is Type.INT64:
            return Decimal(whole_number(name, value))
        exact = isinstance(name, Member) and name.type is not Type.DOUBLE
        return Decimal(decimal_text(name, value)) if exact else Decimal(str(value))

    def _listed(self, values: pa.Array) -> exp.Query:
        return exp.select(column("value")).from_(self.relation(pa.table({"value": values})))

    def _micros_in(self, name: Subject, values: tuple[Comparable, ...]) -> exp.Expr:
        micros_of = pa.array([whole_number(name, value) for value in values], pa.int64())
        return exp.UnixMicros(this=self._stored(name)).isin(query=self._listed(micros_of))

    def _between(self, between: Between) -> exp.Expr:
        name, sides = between.column, list[exp.Expr]()
        if _is_number(name):
            return self._number_between(name, between)
        if between.at_least is not None:
            sides.append(self.column(name) >= self.compared(name, between.at_least))
        if between.below is not None:
            sides.append(self.column(name) < self.compared(name, between.below))
        if between.at_most is not None:
            sides.append(self.column(name) <= self.compared(name, between.at_most))
        if between.above is not None:
            sides.append(self.column(name) > self.compared(name, between.above))
        return exp.and_(exp.true(), *sides, copy=False)

    def _number_between(self, name: Subject, between: Between) -> exp.Expr:
        number, sides = self._number(name), list[exp.Expr]()
        if between.at_least is not None:
            sides.append(number.at_least(self._number_of(name, between.at_least), self.value))
        if between.below is not None:
            sides.append(number.below(self._number_of(name, between.below), self.value))
        if between.at_most is not None:
            sides.append(number.at_most(self._number_of(name, between.at_most), self.value))
        if between.above is not None:
            sides.append(number.above(self._number_of(name, between.above), self.value))
        return exp.and_(exp.true(), *sides, copy=False)

    def _holds(self, member: Member, texts: tuple[str, ...], *, exactly: bool) -> exp.Expr:
        """Compares the sizes of sets, which all engines count alike."""
        type_of(self._stream, member)
        listed = member_texts(column(member.column), self.value(member.name))
        wanted = sorted(set(map(storable_text, texts)))
        if len(wanted) > LONG_LIST:
            values = self._listed(pa.array(wanted, pa.string()))
            return same_listed(listed, values) if exactly else any_listed(listed, values)
        shared = exp.ArrayIntersect(expressions=[listed, exp.Array(expressions=[self.value(text) for text in wanted])])
        if not exactly:
            return exp.ArraySize(this=shared) > 0
        size = exp.Literal.number(len(wanted))
        distinct = exp.ArraySize(this=exp.ArrayDistinct(this=listed.copy()))
        return exp.and_(exp.ArraySize(this=shared).eq(size), distinct.eq(size.copy()))

    def _names(self, name: str, member: str, values: tuple[int, ...]) -> exp.Expr:
        if type_of(self._stream, name) is not Type.JSON:
            raise ValueError(f"column {name} of stream {self._stream.name} has no members")
        wanted = pa.array(sorted({value for value in values if abs(value) <= INT64_MAX}), pa.int64())
        return any_listed(member_numbers(column(name), member), self._listed(wanted))

    def _begins(self, condition: Begins) -> exp.Expr:
        text, length = self._stored(condition.column), len(condition.prefixes[0]) if condition.prefixes else 0
        if any(len(each) != length for each in condition.prefixes):
            raise ValueError("prefixes of several lengths")
        number = exp.Literal.number
        head = exp.Substring(this=text, start=number(1), length=number(length))
        rest = exp.Substring(this=text.copy(), start=number(length + 1))
        prefixes = self._listed(pa.array(sorted(set(map(storable_text, condition.prefixes))), pa.string()))
        ends = (
            rest >= self.value(storable_text(condition.at_least)),
            rest.copy() <= self.value(storable_text(condition.at_most)),
        )
        return exp.and_(head.isin(query=prefixes), *ends)

    def _contains(self, name: str, text: str, *, fold_case: bool) -> exp.Expr:
        self._check_text(name)
        where: exp.Expr = column(name)
        what = self.value(text)
        if fold_case:
            where, what = exp.Lower(this=where), exp.Lower(this=what)
        return exp.StrPosition(this=where, substr=what) > 0

    def _like(self, name: Subject, pattern: str) -> exp.Expr:
        self._check_text(name)
        if "*" not in pattern:
            return self.column(name).eq(self.compared(name, pattern))
        if _is_costly(pattern):
            return exp.RegexpLike(this=self.column(name), expression=self.value(_regex(self._text(name, pattern))))
        escaped = re.sub(r"([%_!])", r"!\1", self._text(name, pattern)).replace("*", "%")
        like = exp.Like(this=self.column(name), expression=self.value(escaped))
        return exp.Escape(this=like, expression=exp.Literal.string("!"))

    def _check_text(self, name: Subject) -> None:
        if type_of(self._stream, name) not in {Type.TEXT, Type.JSON}:
            raise ValueError(f"column {name} of stream {self._stream.name} holds no text")


def _is_number(name: Subject) -> bool:
    return isinstance(name, Member) and name.type is not Type.TEXT


def _is_costly(pattern: str) -> bool:
    """DuckDB's LIKE tries every place for every star but the last: with three it may not end, nor be interrupted."""
    inner = pattern.removesuffix("*")
    return inner.count("*") > 1


def _regex(pattern: str) -> str:
    return r"(?s)\A" + ".*".join(map(re.escape, re.split(r"\*+", pattern))) + r"\z"
