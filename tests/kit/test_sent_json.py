"""How deep sent JSON may be does not depend on the interpreter: the kind of fault is a limit that a process moves."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airtally.ingest.json_text import json_reader
from airtally.kit.sent_json import MAX_LEVELS, decode_sent, is_nested_too_deeply
from airtally.streams.declaration import Column, Type


@pytest.fixture(params=[None, 100_000], ids=["as it is", "raised"])
def interpreters_limit(request: pytest.FixtureRequest) -> Iterator[None]:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(request.param or before)
    yield
    sys.setrecursionlimit(before)


def nested(levels: int, opened: bytes = b'{"a":', closed: bytes = b"}") -> bytes:
    return opened * levels + b"1" + closed * levels


@pytest.mark.usefixtures("interpreters_limit")
@pytest.mark.parametrize(
    "brackets", [(b'{"a":', b"}"), (b"[", b"]"), (b'[{"]":', b"}]")], ids=["objects", "arrays", "both"]
)
def test_the_limit_is_the_same_whatever_the_interpreters_is(brackets: tuple[bytes, bytes]) -> None:
    per = brackets[0].translate(None, b'"]').count(b"[") + brackets[0].count(b"{")
    decode_sent(nested(MAX_LEVELS // per, *brackets))
    for levels in (MAX_LEVELS // per + 1, 5000):
        with pytest.raises(RecursionError):
            decode_sent(nested(levels, *brackets))


@pytest.mark.usefixtures("interpreters_limit")
@pytest.mark.parametrize("as_text", [bytes, bytes.decode], ids=["bytes", "text"])
def test_a_json_column_has_it_too(as_text: Any) -> None:
    read = json_reader(Column("tags", Type.JSON, json=Any, json_says="any value"))
    assert read(as_text(nested(MAX_LEVELS)))[1] is None
    for levels in (MAX_LEVELS + 1, 5000):
        assert read(as_text(nested(levels))) == (None, "nested too deeply")


def test_what_was_cut_off_within_a_string_is_measured_to_its_end() -> None:
    assert not is_nested_too_deeply(b'["' + b"[" * 1000)
    assert not is_nested_too_deeply('["\\"' + "[" * 1000)
    assert is_nested_too_deeply("[" * 1000)


values = st.recursive(
    st.none() | st.integers(0, 9) | st.text('[]{}"\\,:é ', max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('[{"\\', max_size=3), inner, max_size=3),
)


def levels_of(value: Any) -> int:
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(levels_of, value), default=0) if isinstance(value, list) else 0


@given(values, st.integers(MAX_LEVELS - 5, MAX_LEVELS), st.sampled_from([bytes, bytes.decode]))
@example(["[" * 300], 0, bytes)
def test_levels_are_those_of_the_value(value: Any, around: int, as_text: Any) -> None:
    text = as_text(b"[" * around + msgspec.json.encode(value) + b"]" * around)
    assert is_nested_too_deeply(text) == (around + levels_of(value) > MAX_LEVELS)
