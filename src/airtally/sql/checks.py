"""Checks a condition without building its tree, wherever that is quicker: questions are checked at every call."""

from __future__ import annotations

from airtally.sql.comparable import storable_text, type_of
from airtally.sql.compiler import Binder
from airtally.sql.filters import AllOf, AnyOf, Comparable, Equals, Filter, OneOf, Subject
from airtally.streams.declaration import Stream, Type


def check_condition(stream: Stream, condition: Filter) -> None:
    """Raises ValueError where `Binder.condition` does: for an unknown column, and a value that does not suit it."""
    match condition:
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                check_condition(stream, part)
        case Equals(column, value) if _is_text(stream, column):
            storable_text(value)
        case OneOf(column, values) if _is_text(stream, column):
            for each in values:
                storable_text(each)
        case _:
            Binder(stream).condition(condition)


def has_only_texts(condition: Filter) -> bool:
    """Whether all values are texts, so that equal conditions are alike: `1 == True` is not."""
    match condition:
        case AllOf(parts) | AnyOf(parts):
            return all(map(has_only_texts, parts))
        case Equals(_, value):
            return _is_str(value)
        case OneOf(_, values):
            return all(map(_is_str, values))
        case _:
            return False


def _is_text(stream: Stream, column: Subject) -> bool:
    return isinstance(column, str) and type_of(stream, column) is Type.TEXT


def _is_str(value: Comparable) -> bool:
    return isinstance(value, str)
