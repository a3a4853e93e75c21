from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airtally.kit.paging import Page, SortKey, sort_keys, whole_number


@pytest.mark.parametrize(
    ("text", "number"),
    [(None, 1), ("3", 3), (" 3 ", 3), ("0", 1), ("-1", 1), ("x", 1), ("", 1), ("1.5", 1), ("٣", 1), ("9" * 29, 2**53)],
)
def test_whole_numbers(text: str | None, number: int) -> None:
    assert whole_number(text, default=1) == number


@given(st.text() | st.from_regex(r"\s*[0-9]+\s*", fullmatch=True))
@example("0\x1f")
@example("\x1c7\x85")
def test_any_text_is_a_page(text: str) -> None:
    assert 1 <= whole_number(text, default=7, largest=100) <= 100


def test_pages() -> None:
    assert Page(1, 100).pages_of(0) == 0
    assert Page(1, 100).pages_of(250) == 3
    assert Page(3, 100).offset == 200


def test_sort_keys_without_the_unknown_and_the_repeated() -> None:
    fields = {"id", "createdAt"}
    assert sort_keys("-createdAt, id,nope,-id,,--id", fields) == (SortKey("createdAt", True), SortKey("id"))
    assert sort_keys(None, fields) == ()
