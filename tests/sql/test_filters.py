"""What is asked of filters without running them."""

from __future__ import annotations

import pytest

from airtally.sql.filters import AllOf, AnyOf, Equals, Member, Not, OneOf, columns_of
from airtally.streams.declaration import Type


def test_the_columns_that_a_filter_reads():
    condition = AllOf((Equals("a", 1), Not(AnyOf((Equals(Member("b", "m"), "x"), OneOf("a", (1,)))))))
    assert list(columns_of(condition)) == ["a", "b", "a"]


@pytest.mark.parametrize("kind", [Type.LOCAL_TIME, Type.TIME, Type.JSON])
def test_a_member_is_read_as_text_or_number(kind):
    with pytest.raises(ValueError, match="not read as"):
        Member("attributes", "m", kind)
