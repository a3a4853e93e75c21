"""What is asked of filters without running them."""

from __future__ import annotations

import pytest

from airtally.sql.filters import AllOf, AnyOf, Between, Equals, Like, Member, Not, OneOf, columns_of, shape_of
from airtally.streams.declaration import Type


def test_the_columns_that_a_filter_reads():
    condition = AllOf((Equals("a", 1), Not(AnyOf((Equals(Member("b", "m"), "x"), OneOf("a", (1,)))))))
    assert list(columns_of(condition)) == ["a", "b", "a"]


def test_filters_of_one_shape_differ_in_their_values_alone():
    """What is remembered of a statement by its shape must not serve a filter that needs another text."""
    assert shape_of(Equals("a", 1)) == shape_of(Equals("a", 2))
    assert shape_of(OneOf("a", (1, 2))) == shape_of(OneOf("a", (3, 4)))
    others = [
        Equals("a", 1),
        Equals("b", 1),
        OneOf("a", (1,)),
        OneOf("a", (1, 2)),
        Like("a", "x"),
        Like("a", "x*"),
        Like("a", "*x"),
        Between("a", at_least=1),
        Between("a", at_least=2),
        Between("a", above=2),
        Not(Equals("a", 1)),
        AllOf((Equals("a", 1),)),
        AnyOf((Equals("a", 1),)),
    ]
    assert len({shape_of(each) for each in others}) == len(others)


@pytest.mark.parametrize("kind", [Type.LOCAL_TIME, Type.TIME, Type.JSON])
def test_a_member_is_read_as_text_or_number(kind):
    with pytest.raises(ValueError, match="not read as"):
        Member("attributes", "m", kind)
