from __future__ import annotations

import gzip
from dataclasses import dataclass

from airtally.files.gzip import member
from airtally.query.answers import AnswerCache


@dataclass
class View:
    """What the cache looks at of a snapshot."""

    state: str | None


def test_an_answer_counts_for_a_view_with_the_same_rows_only() -> None:
    cache = AnswerCache(1000)
    assert cache.get("q", View("1"), lambda: [b"a", b"b"]) == b"ab"
    assert cache.get("q", View("1"), lambda: [b"other"]) == b"ab"
    assert cache.get("q", View("2"), lambda: [b"new"]) == b"new"
    assert cache.get("q", View("1"), lambda: [b"old"]) == b"old"


def test_a_view_without_a_state_is_never_the_same() -> None:
    cache = AnswerCache(1000)
    assert cache.get("q", View(None), lambda: [b"a"]) == b"a"
    assert cache.get("q", View(None), lambda: [b"b"]) == b"b"


def test_no_more_bytes_are_kept_than_there_is_room_for() -> None:
    cache = AnswerCache(80)
    for key in range(10):
        cache.get(key, View("1"), lambda: [bytes(10)])
    kept = [cache.get(key, View("1"), lambda: [b"anew"]) != b"anew" for key in (9, 8, 1, 0)]
    assert kept == [True, True, False, False]
    cache.get("large", View("1"), lambda: [bytes(11)])
    assert cache.get("large", View("1"), lambda: [b"anew"]) == b"anew"


def test_the_packed_form_is_kept_with_the_answer_and_counts() -> None:
    cache, text = AnswerCache(1000), bytes(100)
    body = cache.get("q", View("1"), lambda: [text])
    packed = cache.packed("q", body)
    assert gzip.decompress(member([packed])) == text
    assert cache.packed("q", body) is packed
    assert cache._kept.get("q").size == len(text) + len(packed.content)  # type: ignore[union-attr]
    changed = cache.get("q", View("2"), lambda: [b"new"])
    assert gzip.decompress(member([cache.packed("q", changed)])) == b"new"
    assert gzip.decompress(member([cache.packed("q", body)])) == text, "of an answer that is kept no more"


def test_none_is_kept_where_there_is_no_room() -> None:
    cache = AnswerCache(0)
    assert not cache.enabled
    assert cache.get("q", View("1"), lambda: [b"a"]) == b"a"
    assert cache.get("q", View("1"), lambda: [b"b"]) == b"b"
