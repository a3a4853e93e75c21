"""Keys of records as texts in paths."""

from __future__ import annotations

from urllib.parse import quote, unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airtally.streams import DEVICE_TAGS, PLAYERS
from airtally.streams.record_key import read_key, written_key

TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)


@given(application=st.none() | TEXTS, hwid=TEXTS, tag=TEXTS)
def test_what_is_written_is_read_again(application, hwid, tag):
    key = application, hwid, tag
    text = written_key(key)
    assert read_key(DEVICE_TAGS, text) == key
    assert text not in {".", ".."}
    assert "/" not in text
    assert unquote(quote(text, safe="")) == text


@given(st.integers(-(2**63), 2**63 - 1))
@example(-(2**63))
def test_numbers(number):
    assert read_key(PLAYERS, written_key((number,))) == (number,)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b", "named by application, hwid, tag"),
        ("a,b,c,d", "named by application, hwid, tag"),
        ("a,~,c", "hwid is never null"),
        ("a,b~,c", "two hexadecimal digits"),
        ("a,b~4,c", "two hexadecimal digits"),
        ("a,b~zz,c", "two hexadecimal digits"),
        ("a,b~é,c", "two hexadecimal digits"),
        ("a,b~ff,c", "no UTF-8"),
        ("a,\ud800,c", "surrogates"),
        ("a,b," + "c" * 4096, "named by"),
    ],
)
def test_what_is_no_key(text, words):
    with pytest.raises(ValueError, match=words):
        read_key(DEVICE_TAGS, text)


@pytest.mark.parametrize("text", ["x", "1.0", "+1", "", "9" * 19, str(2**63), str(-(2**63) - 1), "1" * 30, "~", "٣"])
def test_what_is_no_number(text):
    with pytest.raises(ValueError, match="player_id"):
        read_key(PLAYERS, text)
