from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from airtally.kit.prefetch import prefetch


def test_the_same_items_in_their_order() -> None:
    assert list(prefetch(iter([1, None, 3]))) == [1, None, 3]


def test_what_is_raised_is_raised_to_the_reader() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    items = prefetch(broken())
    assert next(items) == 1
    with pytest.raises(ValueError, match="broken"):
        next(items)


def test_a_reader_that_goes_away_ends_the_thread() -> None:
    before = threading.active_count()

    def endless() -> Iterator[int]:
        while True:
            yield 1

    items = prefetch(endless())
    assert next(items) == 1
    items.close()
    assert threading.active_count() == before
