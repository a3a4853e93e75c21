from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airtally.kit.errors import BadRequest
from airtally.kit.paging import Slice
from airtally.vendors.slate.params import PageParams, asked, next_url


def test_defaults() -> None:
    assert asked({}, "page") == PageParams(0, 10, by_item=False)
    assert asked({}, "item").part == Slice(0, 10)


def test_what_an_offset_counts() -> None:
    query = {"offset": "3", "limit": "20"}
    assert asked(query, "page").part == Slice(60, 20)
    assert asked(query, "item").part == Slice(3, 20)


@pytest.mark.parametrize("text", ["0", "-1", "x", "", " 5", "+5", "1.0", "1e3", "٣"])
def test_limits_that_are_none(text: str) -> None:
    with pytest.raises(BadRequest, match="limit"):
        asked({"limit": text}, "page")


def test_the_largest() -> None:
    assert asked({"limit": "5000"}, "page").limit == 1000
    part = asked({"limit": "1000", "offset": "9" * 100}, "page").part
    assert part.offset < 2**63


def test_next() -> None:
    page = PageParams(0, 1, by_item=False)
    filters = {"startDateTime": "2026-11-22T00:00:00+00:00"}
    assert next_url("https://h/", "/apis/v2/x/", filters, page, 3) == (
        "https://h/apis/v2/x?startDateTime=2026-11-22T00%3A00%3A00%2B00%3A00&offset=1&limit=1"
    )
    assert next_url("https://h", "/x", {}, page, 1) is None


@given(
    total=st.integers(0, 60), limit=st.integers(1, 20), mode=st.sampled_from(["page", "item"]), start=st.integers(0, 9)
)
def test_followers_see_the_rest_once(total: int, limit: int, mode: str, start: int) -> None:
    rows = list(range(total))
    seen: list[int] = []
    offset: int | None = start
    first = PageParams(start, limit, mode == "item").part.offset
    while offset is not None:
        page = PageParams(offset, limit, mode == "item")
        seen += rows[page.part.offset : page.part.offset + limit]
        offset = page.next_offset(total)
    assert seen == rows[first:]
