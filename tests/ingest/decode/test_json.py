from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airtally.ingest.decode import Checked, read_rows
from airtally.ingest.decode import json as module
from airtally.kit.errors import BadRequest
from airtally.streams import STREAMS

PLAYLOGS = STREAMS["playlogs"]
GOOD = {"player_id": 1, "media_id": 2, "played_at": "2026-11-22T08:00:00"}


def read(body: bytes | str) -> Checked:
    return read_rows(PLAYLOGS, body.encode() if isinstance(body, str) else body, "application/json")


def test_an_object_and_an_array_are_read() -> None:
    assert read(json.dumps(GOOD)).rows.num_rows == 1
    assert read(json.dumps([GOOD, GOOD], indent=2)).rows.num_rows == 2
    assert read(b"\xef\xbb\xbf " + json.dumps([GOOD]).encode()).rows.num_rows == 1
    assert read(" [ ] ").rows.num_rows == 0


def test_elements_are_counted_as_lines() -> None:
    checked = read(json.dumps([GOOD, 5, GOOD | {"x": 1}, None, GOOD | {"media_id": None}], indent=1))
    assert [(e.line, e.field, e.error) for e in checked.errors] == [
        (2, None, "expected object, got number"),
        (3, "x", "unknown field"),
        (4, None, "expected object, got null"),
        (5, "media_id", "required"),
    ]
    assert json.loads(checked.errors[3].raw) == GOOD | {"media_id": None}


@pytest.mark.parametrize(
    "body",
    ["", " ", "5", "null", '"x"', "{", "[", "[{]", '{"player_id":1}{"player_id":1}', "[1] x", "[{},]", "[,{}]", "]", "[" * 100_000, "[" + '{"a":' * 100_000, "[NaN]", "x" * 100_000],
)  # fmt: skip
def test_what_is_no_json_is_refused_as_a_whole(body: str) -> None:
    with pytest.raises(BadRequest):
        read(body)


def test_a_long_array_is_read_in_windows() -> None:
    rows: list[Any] = [GOOD | {"player_id": n, "id": '},{"\\' * (n % 7)} for n in range(30_000)]
    rows[20_000] = {"player_id": "},"}
    rows[25_000] = GOOD | {"played_at": "},{"}
    for body in (json.dumps(rows), json.dumps(rows, separators=(",", ":")), json.dumps(rows, indent=1)):
        checked = read(body)
        assert checked.rows["player_id"].to_pylist() == [n for n in range(30_000) if n not in {20_000, 25_000}]
        assert [e.line for e in checked.errors] == [20_001, 25_001]
        assert json.loads(checked.errors[1].raw) == rows[25_000]
    for broken in ("]", "[{}", json.dumps(rows)[:-1], json.dumps(rows)[1:], json.dumps(rows)[:-1] + ",]"):
        with pytest.raises(BadRequest):
            read(broken)


def test_a_long_element_is_refused_alone() -> None:
    checked = read(json.dumps([GOOD, GOOD | {"id": "x" * (10 << 20)}, GOOD]))
    assert [(e.line, e.error, len(e.raw)) for e in checked.errors] == [(2, "line longer than 1 MiB", 1 << 20)]
    assert checked.rows.num_rows == 2


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.dictionaries(st.text(max_size=4), st.text('{},[]"\\:\n ', max_size=12), max_size=3), max_size=20),
    st.sampled_from([None, 0, 1]),
    st.integers(16, 64),
)
def test_windows_find_the_same_elements_wherever_they_cut(rows: list[Any], indent: int | None, window: int) -> None:
    before, module.WINDOW = module.WINDOW, window
    try:
        checked = read(json.dumps(rows, indent=indent))
    finally:
        module.WINDOW = before
    assert [json.loads(e.raw) for e in checked.errors] == rows
    assert [e.line for e in checked.errors] == list(range(1, len(rows) + 1))


@given(st.binary(max_size=200), st.sampled_from([b"", b"[", b"{", b"[{}"]))
def test_any_bytes_have_an_answer(body: bytes, start: bytes) -> None:
    with suppress(BadRequest):
        read(start + body)


def test_random_bytes_cost_little() -> None:
    with pytest.raises(BadRequest):
        read(b"[" + os.urandom(40 << 20))
