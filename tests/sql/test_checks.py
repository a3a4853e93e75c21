"""Conditions checked without their trees."""

from __future__ import annotations

import pytest

from airtally.sql.checks import check_condition, has_only_texts
from airtally.sql.compiler import Binder
from airtally.sql.filters import AllOf, AnyOf, Between, Equals, Filter, IsNull, Like, Not, OneOf
from airtally.streams import AD_EVENTS

CONDITIONS: list[Filter] = [
    Equals("kind", "a"),
    Equals("kind", 7),
    Equals("kind", "\ud800"),
    Equals("nowhere", "a"),
    Equals("count", "x"),
    Equals("count", True),
    Equals("spend", "1e99"),
    OneOf("kind", ("a", "\ud800")),
    OneOf("kind", ()),
    OneOf("nowhere", ()),
    AllOf((Equals("kind", "a"), Equals("count", 1))),
    AnyOf((Equals("kind", "a"), Equals("count", "x"))),
    Not(Equals("nowhere", 1)),
    Between("count", at_least="x"),
    IsNull("nowhere"),
    Like("count", "x"),
]


def refused(number: int, *, quickly: bool) -> str | None:
    condition = CONDITIONS[number]
    try:
        check_condition(AD_EVENTS, condition) if quickly else Binder(AD_EVENTS).condition(condition)
    except ValueError as error:
        return str(error)
    return None


@pytest.mark.parametrize("number", range(len(CONDITIONS)))
def test_a_condition_is_refused_as_its_tree_would_be(number: int) -> None:
    assert refused(number, quickly=True) == refused(number, quickly=False)


def test_conditions_of_texts_alone() -> None:
    assert has_only_texts(AllOf((Equals("kind", "a"), OneOf("kind", ("a", "b")))))
    assert not has_only_texts(Equals("count", 1))
    assert not has_only_texts(OneOf("kind", ("a", 1)))
    assert not has_only_texts(Not(Equals("kind", "a")))
