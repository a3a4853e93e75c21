"""Trees that are built once for all questions of one shape: building one takes longer than most answers.

What differs between questions of one shape are the values that they bind and the relations that they read. They are
bound first, in an order that depends on the shape alone; what a tree binds while it is built is kept with it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass

from sqlglot import exp

from airtally.kit.cache import Cache
from airtally.sql.comparable import type_of, whole_number
from airtally.sql.compiler import INT64_MAX, LONG_LIST, Binder
from airtally.sql.filters import (
    AllOf,
    AnyOf,
    Between,
    Comparable,
    Contains,
    Equals,
    Filter,
    IsNull,
    Like,
    Member,
    Not,
    OneOf,
    Subject,
)
from airtally.sql.statement import Statement, Value
from airtally.streams.declaration import Stream, Type

#: A tree of rows and segments takes a third of a megabyte.
_MOST_TREES = 200

_OF_ONE_FORM = {Type.TEXT, Type.DECIMAL, Type.DOUBLE}


@dataclass(frozen=True, slots=True)
class _KeptTree:
    """A tree, which nobody changes, and what it binds besides the values of the question: by name."""

    tree: exp.Query
    constants: dict[str, Value]


class KeptTrees:
    """Thread-safe by the lock of its `Cache`. The least recently used leave first."""

    def __init__(self, most: int = _MOST_TREES) -> None:
        self._kept: Cache[Hashable, _KeptTree] = Cache(most)

    def statement(self, binder: Binder, shape: Hashable | None, build: Callable[[], exp.Query]) -> Statement:
        """The statement of `build`'s tree, which is built only if none of this shape is kept; without a shape always.

        `binder` has all that differs between questions of the shape. `build` may bind more values, which are the same
        for all of them.
        """
        if shape is None:
            return binder.statement(build())
        key = shape, len(binder.parameters), tuple(binder.relations)
        kept = self._kept.get(key)
        if kept is not None:
            binder.parameters.update(kept.constants)
            return binder.statement(kept.tree, key=key)
        values, relations = set(binder.parameters), len(binder.relations)
        tree = build()
        if len(binder.relations) > relations:  # a list of values, which may be long
            return binder.statement(tree)
        constants = {name: value for name, value in binder.parameters.items() if name not in values}
        self._kept.put(key, _KeptTree(tree, constants))
        return binder.statement(tree, key=key)


def shape_of(stream: Stream, condition: Filter) -> Hashable | None:  # noqa: PLR0911 (one for each kind of filter)
    """What a condition's tree depends on; conditions of one shape differ in bound values alone.

    None where the values decide on the tree. Raises ValueError as `Binder.condition` does.
    """
    match condition:
        case AllOf(parts) | AnyOf(parts):
            shapes = tuple(shape_of(stream, part) for part in parts)
            return None if None in shapes else (type(condition), shapes)
        case Not(part):
            shape = shape_of(stream, part)
            return None if shape is None else (Not, shape)
        case Equals(column, value):
            return (OneOf, column, 1) if _has_one_form(stream, column, (value,)) else None
        case OneOf(column, values):
            return (OneOf, column, min(len(values), LONG_LIST + 1)) if _has_one_form(stream, column, values) else None
        case Between(column) if not _is_number_member(column):
            sides = condition.at_least, condition.below, condition.at_most, condition.above
            return Between, column, tuple(side is None for side in sides)
        case Contains(column, _, fold_case):
            return Contains, column, fold_case
        case Like(column, pattern):
            return Like, column, pattern.count("*"), pattern.endswith("*")
        case IsNull(column):
            return IsNull, column
        case _:
            return None


def _has_one_form(stream: Stream, column: Subject, values: tuple[Comparable, ...]) -> bool:
    """Whether the comparison looks the same for all values, of which only the number counts."""
    kind = type_of(stream, column)
    if _is_number_member(column):
        return False
    if kind is Type.INT64:
        return all(abs(whole_number(column, value)) <= INT64_MAX for value in values)
    return kind in _OF_ONE_FORM


def _is_number_member(column: Subject) -> bool:
    return isinstance(column, Member) and column.type is not Type.TEXT
