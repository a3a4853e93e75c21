"""The filter of a question as a tree of conditions.

    {"and": [F, …]}  {"or": [F, …]}  {"not": F}
    {"column": C, "op": "eq" | "ne" | "lt" | "le" | "gt" | "ge" | "like", "value": V}
    {"column": C, "op": "in", "value": [V, …]}  {"column": C, "op": "is_null"}
    {C: V, …}  {C: [V, …]}        each column has the value, or one of the values

`C` is a column, or a member of a JSON column as in `attributes.plan`. A member is compared as text with a text, as a
double with a number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from airtally.api.query.limits import MAX_CONDITIONS, MAX_DEPTH, MAX_NAME, MAX_PATTERN
from airtally.ingest.times import EXPECTED, parse_time
from airtally.query.question import END_US, FIRST_US
from airtally.sql.comparable import type_of
from airtally.sql.filters import (
    AllOf,
    AnyOf,
    Between,
    Comparable,
    Equals,
    Filter,
    IsNull,
    Like,
    Member,
    Not,
    OneOf,
    Subject,
)
from airtally.streams.declaration import Stream, Type

_TIMES = (Type.TIME, Type.LOCAL_TIME)
_SIDES = {"lt": "below", "le": "at_most", "gt": "above", "ge": "at_least"}
_OPS = ("eq", "ne", *_SIDES, "in", "like", "is_null")
_SHOWN = 64


def subject_of(stream: Stream, name: str) -> Subject:
    """A column, or the member that a text such as `attributes.plan` names. Raises ValueError."""
    column, dot, member = name.partition(".")
    if not dot or column not in stream.by_name or stream.by_name[column].type is not Type.JSON:
        type_of(stream, name)
        return name
    if not 0 < len(member) <= MAX_NAME or "\0" in member:
        raise ValueError(f"the name of a member of {column} has 1 to {MAX_NAME} characters, none of them NUL")
    member.encode()  # raises UnicodeEncodeError, a ValueError, for half of a surrogate pair
    return Member(column, member)


def time_value(kind: Type, text: str) -> int:
    """Read as a row's time is read when it comes in. Raises ValueError."""
    local = kind is Type.LOCAL_TIME
    at_us = parse_time(text, local=local)
    if at_us is None:
        raise ValueError(f"{EXPECTED[local]}, got {text[:_SHOWN]!r}")
    if not FIRST_US <= at_us < END_US:
        raise ValueError(f"expected a time in the years 1969 to 2101, got {text}")
    return at_us


def check_direction(start_us: int, end_us: int) -> None:
    """Raises ValueError for an interval that ends before it starts; an empty one has no rows."""
    if start_us > end_us:
        raise ValueError("`start` lies after `end`: an interval begins before it ends")


class Conditions:
    """Reads one filter. Raises ValueError, also for one that is too large."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._left = MAX_CONDITIONS

    def read(self, tree: Any, depth: int = 0) -> Filter:
        if not isinstance(tree, dict):
            raise ValueError(f"a filter is an object, not {_cut_json(tree)}")  # noqa: TRY004 (all of a question's errors are)
        if depth > MAX_DEPTH:
            raise ValueError(f"a filter is nested at most {MAX_DEPTH} deep")
        if joined := tree.keys() & {"and", "or", "not"}:
            if len(tree) > 1:
                raise ValueError(f"beside `{min(joined)}` a filter has nothing else")
            return self._joined(*next(iter(tree.items())), depth)
        return self._condition(tree) if "op" in tree else self._columns(tree)

    def _joined(self, word: str, below: Any, depth: int) -> Filter:
        if word == "not":
            return Not(self.read(below, depth + 1))
        if not isinstance(below, list):
            raise ValueError(f"`{word}` has a list of filters, not {_cut_json(below)}")  # noqa: TRY004 (all of a question's errors are)
        parts = tuple(self.read(each, depth + 1) for each in below)
        return AllOf(parts) if word == "and" else AnyOf(parts)

    def _columns(self, columns: Mapping[str, Any]) -> Filter:
        return AllOf(tuple(self._has(name, value) for name, value in columns.items()))

    def _has(self, name: str, value: Any) -> Filter:
        self._count_one()
        return self._one_of(name, value) if isinstance(value, list) else self._equals(name, value)

    def _condition(self, tree: Mapping[str, Any]) -> Filter:
        self._count_one()
        name, op = tree.get("column"), tree["op"]
        if not isinstance(name, str) or tree.keys() - {"column", "op", "value"}:
            raise ValueError("a condition has `column`, `op` and `value`, and nothing else")
        if op not in _OPS:
            raise ValueError(f"`op` is one of {', '.join(_OPS)}, not {_cut_json(op)}")
        if (op == "is_null") == ("value" in tree):
            raise ValueError("a condition has a `value`, unless its `op` is `is_null`")
        if op == "is_null":
            return IsNull(subject_of(self._stream, name))
        return self._compared(name, op, tree["value"])

    def _compared(self, name: str, op: str, value: Any) -> Filter:
        if op == "in":
            if not isinstance(value, list):
                raise ValueError(f"`in` has a list of values, not {_cut_json(value)}")
            return self._one_of(name, value)
        if op == "like":
            return self._like(name, value)
        if op in _SIDES:
            subject, found = self._typed(name, value)
            if isinstance(value, bool) or type_of(self._stream, subject) is Type.JSON:
                raise ValueError(f"{name[:_SHOWN]} has no order: `{op}` needs a column or member that has one")
            return Between(subject, **{_SIDES[op]: found})
        equals = self._equals(name, value)
        return Not(equals) if op == "ne" else equals

    def _equals(self, name: str, value: Any) -> Filter:
        return Equals(*self._typed(name, value))

    def _like(self, name: str, value: Any) -> Filter:
        if not isinstance(value, str) or len(value) > MAX_PATTERN:
            raise ValueError(f"`like` has a pattern of at most {MAX_PATTERN} characters, `*` for any of them")
        subject = subject_of(self._stream, name)
        if type_of(self._stream, subject) is not Type.TEXT:
            raise ValueError(f"column {name[:_SHOWN]} holds no text")
        return Like(subject, value)

    def _one_of(self, name: str, values: Iterable[Any]) -> Filter:
        """Of a member, texts and numbers are two conditions."""
        found: dict[Subject, list[Comparable]] = {subject_of(self._stream, name): []}
        for value in values:
            subject, typed = self._typed(name, value)
            found.setdefault(subject, []).append(typed)
        parts = tuple(OneOf(subject, tuple(each)) for subject, each in found.items() if each)
        return parts[0] if len(parts) == 1 else AnyOf(parts) if parts else OneOf(next(iter(found)), ())

    def _typed(self, name: str, value: Any) -> tuple[Subject, Comparable]:
        if not isinstance(value, str | int | float):
            raise ValueError(f"{name[:_SHOWN]} is compared with a text or a number, not {_cut_json(value)}")  # noqa: TRY004 (all of a question's errors are)
        subject = subject_of(self._stream, name)
        if isinstance(subject, Member):
            return _member_value(subject, value)
        if isinstance(value, bool):
            raise ValueError(f"column {name[:_SHOWN]} holds no true or false")  # noqa: TRY004 (all of a question's errors are)
        kind = type_of(self._stream, subject)
        return subject, time_value(kind, value) if kind in _TIMES and isinstance(value, str) else value

    def _count_one(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise ValueError(f"a filter has at most {MAX_CONDITIONS} conditions")


def _member_value(member: Member, value: str | float) -> tuple[Subject, Comparable]:
    if isinstance(value, bool):
        return member, "true" if value else "false"
    return (
        (member, value) if isinstance(value, str) else (Member(member.column, member.name, Type.DOUBLE), float(value))
    )


def _cut_json(value: Any) -> str:
    return "null (`is_null` finds nulls)" if value is None else repr(value)[:_SHOWN]
