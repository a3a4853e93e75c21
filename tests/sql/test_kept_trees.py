"""Trees that are built once for all questions of one shape."""

from __future__ import annotations

from typing import Any

import pytest
from sqlglot import exp

from airtally.sql.compiler import LONG_LIST, Binder
from airtally.sql.filters import (
    AllOf,
    AnyOf,
    Begins,
    Between,
    Contains,
    Equals,
    Filter,
    IsNull,
    Like,
    Member,
    Not,
    OneOf,
)
from airtally.sql.kept_trees import KeptTrees, shape_of
from airtally.streams import AD_EVENTS, APP_EVENTS
from airtally.streams.declaration import Type

#: Of each group every filter has another tree, and its like with other values has the same.
FILTERS: list[tuple[Filter, Filter]] = [
    (Equals("kind", "a"), Equals("kind", "b")),
    (Equals("country", "a"), Equals("country", "b")),
    (Equals("count", 1), Equals("count", -2)),
    (Equals("spend", "1.5"), Equals("spend", 2)),
    (OneOf("kind", ("a", "b")), OneOf("kind", ("c", "d"))),
    (OneOf("kind", tuple(map(str, range(LONG_LIST + 1)))), OneOf("kind", tuple(map(str, range(LONG_LIST + 9))))),
    (Like("kind", "x*"), Like("kind", "y*")),
    (Like("kind", "*x"), Like("kind", "*y")),
    (Like("kind", "*x*z"), Like("kind", "*y*y")),
    (Between("time", at_least=1), Between("time", at_least=2)),
    (Between("time", above=1), Between("time", above=2)),
    (Between("count", above=1, at_most=3), Between("count", above=0, at_most=1 << 70)),
    (Contains("kind", "a"), Contains("kind", "b")),
    (Contains("kind", "a", fold_case=True), Contains("kind", "b", fold_case=True)),
    (Not(Equals("kind", "a")), Not(Equals("kind", "b"))),
    (AllOf((Equals("kind", "a"), IsNull("country"))), AllOf((Equals("kind", "b"), IsNull("country")))),
    (AnyOf((Equals("kind", "a"), IsNull("country"))), AnyOf((Equals("kind", "b"), IsNull("country")))),
]

#: Their values decide on the tree.
WITHOUT_SHAPE: list[Filter] = [
    Equals("count", 1 << 63),
    Equals("attributes", "a"),
    Equals(Member("attributes", "a", Type.INT64), 1),
    Between(Member("attributes", "a", Type.DECIMAL), above=1),
    Begins("event", ("a",), "", "z"),
    Not(Equals("attributes", 1)),
    AllOf((IsNull("application"), Equals("attributes", 1))),
]


def tree_of(condition: Filter) -> str:
    return Binder(AD_EVENTS).condition(condition).sql("duckdb")


@pytest.mark.parametrize("number", range(len(FILTERS)))
def test_filters_of_one_shape_have_one_tree(number: int) -> None:
    one, other = FILTERS[number]
    assert shape_of(AD_EVENTS, one) is not None
    assert shape_of(AD_EVENTS, one) == shape_of(AD_EVENTS, other)
    assert tree_of(one) == tree_of(other)


def test_filters_of_different_trees_have_different_shapes() -> None:
    """What is remembered of a statement by its shape must not serve a filter that needs another text."""
    shapes = {(shape_of(AD_EVENTS, one), tree_of(one)) for one, _ in FILTERS}
    assert len(shapes) == len({shape for shape, _ in shapes}) == len(FILTERS)


@pytest.mark.parametrize("number", range(len(WITHOUT_SHAPE)))
def test_a_filter_whose_values_decide_has_no_shape(number: int) -> None:
    condition = WITHOUT_SHAPE[number]
    stream = AD_EVENTS if isinstance(condition, Equals) and condition.column == "count" else APP_EVENTS
    assert shape_of(stream, condition) is None


def bound(value: Any) -> Binder:
    binder = Binder(AD_EVENTS)
    binder.value(value)
    return binder


def test_a_tree_is_built_once_and_keeps_what_it_binds() -> None:
    kept, built = KeptTrees(), []

    def statement(value: str) -> Any:
        binder = bound(value)

        def build() -> exp.Query:
            built.append(value)
            return exp.select(binder.value("constant").as_("x"))

        return kept.statement(binder, "shape", build)

    first, second = statement("a"), statement("b")
    assert built == ["a"]
    assert second.tree is first.tree
    assert first.parameters == {"p0": "a", "p1": "constant"}
    assert second.parameters == {"p0": "b", "p1": "constant"}


def test_a_shape_with_another_number_of_values_has_another_tree() -> None:
    kept = KeptTrees()
    one = bound("a")
    more = bound("a")
    more.value("b")
    assert kept.statement(one, "shape", exp.Select).key != kept.statement(more, "shape", exp.Select).key


def test_a_list_of_values_that_a_tree_binds_is_not_kept() -> None:
    kept = KeptTrees()
    many = OneOf("kind", tuple(map(str, range(LONG_LIST + 1))))
    for _ in range(2):
        binder = bound("a")
        made = kept.statement(binder, "shape", lambda b=binder: exp.select("x").where(b.condition(many)))  # type: ignore[misc]
        assert made.key is None
        assert len(made.relations) == 1
