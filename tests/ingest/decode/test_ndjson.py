from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airtally.ingest.decode import Checked, DecodeLimits, read_rows
from airtally.kit.errors import BadRequest, UnsupportedMedia
from airtally.streams import STREAMS
from airtally.streams.declaration import Stream, Type

PLAYLOGS = STREAMS["playlogs"]
NDJSON = "application/x-ndjson"
GOOD = b'{"player_id":1,"media_id":2,"played_at":"2026-11-22T08:00:00"}'


def read(body: bytes, stream: Stream = PLAYLOGS, **limits: int) -> Checked:
    return read_rows(stream, body, NDJSON, limits=DecodeLimits(**limits))


def said(checked: Checked) -> list[tuple[int, str | None, str]]:
    return [(error.line, error.field, error.error) for error in checked.errors]


@pytest.mark.parametrize(
    ("line", "field", "error"),
    [
        (b"nonsense", None, "not JSON"),
        (b'{"player_id":1', None, "not JSON: it ends too early"),
        (GOOD + GOOD, None, "not JSON: trailing characters"),
        (GOOD + b" x", None, "not JSON: trailing characters"),
        (b"null", None, "expected object, got null"),
        (b"[]", None, "expected object, got array"),
        (b"[" * 200_000, None, "expected object, got array"),
        (b'{"player_id":' + b"[" * 200_000, "player_id", "expected integer, got array"),
        (b'{"x":' + b"[" * 200_000, "x", "unknown field"),
        (b'{"duration_seconds":NaN}', None, "not JSON: invalid character"),
        (b'{"duration_seconds":-Infinity}', None, "not JSON: invalid"),
        (b'{"duration_seconds":1e999}', "duration_seconds", "number out of range"),
        (b'{"id":"\xff"}', None, "invalid UTF-8"),
        (b'{"\xff":1}', None, "invalid UTF-8"),
        (b'{"id":"\xed\xa0\x80"}', None, "invalid UTF-8"),
        (b'{"id":"\\ud800"}', None, "not JSON"),
        (b'{"' + b"x" * 1000 + b'":1}', "x" * 127 + "…", "unknown field"),
        (b'{"a`b - at":1}', "a`b - at", "unknown field"),
        (b"\0", None, "not JSON"),
    ],
)
def test_a_wrong_line_is_named_and_spoils_no_other(line: bytes, field: str | None, error: str) -> None:
    checked = read(b"\n".join([GOOD, line, GOOD]))
    assert checked.rows.num_rows == 2
    assert [(found.line, found.field, found.raw) for found in checked.errors] == [(2, field, line)]
    assert checked.errors[0].error.startswith(error)


def test_json_columns_are_parsed_as_safely() -> None:
    start = b'{"application":"A","event":"e","time":"2026-11-22T08:00:00Z","attributes":'
    bad = [b"[" * 100_000, b'{"a":' * 50_000, b'{"a":"\xff"}', b'{"a":1e999}', b'{"a":NaN}']
    body = b"\n".join(start + each + b"}" for each in bad)
    checked = read(body + b"\n" + start + b"{}}", STREAMS["app_events"])
    assert checked.rows["attributes"].to_pylist() == ["{}"]
    assert [line for line, *_ in said(checked)] == [1, 2, 3, 4, 5]
    assert said(checked)[2][1:] == ("attributes", "invalid UTF-8")
    assert said(checked)[3][1:] == ("attributes", "number out of range")


def test_empty_lines_are_skipped_but_counted() -> None:
    checked = read(b"\xef\xbb\xbf\n" + GOOD + b"\r\n\r\n  \n" + GOOD + b"\nx\n\n")
    assert checked.rows.num_rows == 2
    assert [line for line, *_ in said(checked)] == [6]
    assert read(b"").rows.num_rows == read(b"\n\n").rows.num_rows == 0
    assert read(b"").rows.schema == PLAYLOGS.row_schema


def test_a_line_over_the_limit_is_refused_alone() -> None:
    long = b'{"id":"' + b"x" * (10 << 20) + b'"}'
    checked = read(b"\n".join([GOOD, long, GOOD]))
    assert said(checked) == [(2, None, "line longer than 1 MiB")]
    assert checked.errors[0].raw == long[: 1 << 20]
    assert checked.rows.num_rows == 2
    just = GOOD[:-1] + b" " * ((1 << 20) - len(GOOD)) + b"}"
    assert len(just) == 1 << 20
    assert read(just).rows.num_rows == 1
    assert said(read(just + b" "))[0][2] == "line longer than 1 MiB"


def test_a_million_errors_have_a_million_answers() -> None:
    checked = read(b'{"player_id":"x"}\n' * 1_000_000 + GOOD)
    assert checked.rows.num_rows == 1
    assert len(checked.errors) == 1_000_000
    assert checked.errors[-1].line == 1_000_000


def test_a_body_with_too_many_errors_is_refused_as_a_whole() -> None:
    with pytest.raises(BadRequest, match="more than 1000 rows"):
        read(b"x\n" * 100_000, errors_max=1000)
    with pytest.raises(BadRequest, match="more than 1000 rows"):
        read(b"{}\n" * 100_000, errors_max=1000)


def test_of_a_field_given_twice_the_last_counts() -> None:
    twice = GOOD[:-1] + b',"player_id":9}'
    assert read(twice).rows["player_id"].to_pylist() == [9]


def test_media_types_are_told_apart() -> None:
    assert read_rows(PLAYLOGS, memoryview(GOOD), "Application/X-NDJSON; charset=utf-8").rows.num_rows == 1
    assert read_rows(PLAYLOGS, GOOD, "application/ndjson").rows.num_rows == 1
    for wrong in ("text/plain", "application/x-ndjson\r\nX: y"):
        with pytest.raises(UnsupportedMedia, match="looks like one JSON object a line"):
            read_rows(PLAYLOGS, GOOD, wrong)
    for magic in (b"\x1f\x8b\x08", b"PAR1", b"\x28\xb5\x2f\xfd"):
        with pytest.raises(BadRequest, match="looks like"):
            read(magic + b"xx")


values = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["2026-11-22T08:00:00Z", "2026-11-22T23:59:59.5", "2026-02-30T00:00:00Z", "1.50", "10.0.0.1", "I", "US", "paid_click"])
    | st.lists(st.text(max_size=3), max_size=2)
    | st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=3), max_size=2)
)  # fmt: skip
likely = {
    Type.INT64: st.integers(0, 1),
    Type.DOUBLE: st.floats(0, 1e6),
    Type.TEXT: st.sampled_from(["I", "A"]),
    Type.TIME: st.datetimes(min_value=datetime(1971, 1, 1)).map(lambda at: f"{at.isoformat()}Z"),
    Type.LOCAL_TIME: st.datetimes().map(lambda at: at.isoformat()),
    Type.DECIMAL: st.decimals(-1000, 1000, places=6).map(str),
    Type.JSON: st.just([{"id": 1, "name": "x"}]) | st.just({"a": 1}),
}


@st.composite
def rows(draw: st.DrawFn) -> tuple[Stream, list[dict[str, Any]]]:
    stream = draw(st.sampled_from(list(STREAMS.values())))
    count = draw(st.integers(1, 4))
    found = []
    for _ in range(count):
        row = {column.name: draw(likely[column.type]) for column in stream.columns if draw(st.integers(0, 9))}
        if draw(st.booleans()):
            row[draw(st.sampled_from([*row, "other", "is_deleted"]))] = draw(values)
        found.append(row)
    return stream, found


@settings(max_examples=25, deadline=None)
@given(rows(), st.lists(st.binary(max_size=12), max_size=3))
def test_a_whole_batch_is_judged_like_its_lines_one_by_one(
    given_rows: tuple[Stream, list[dict[str, Any]]], noise: list[bytes]
) -> None:
    stream, found = given_rows
    lines = [json.dumps(row).encode() for row in found] + [b" " + each.replace(b"\n", b"") for each in noise]
    one_by_one = [read(line, stream) for line in lines]
    times = 70 // len(lines) + 1
    whole = read(b"\n".join(lines * times), stream)
    expected = [row for each in one_by_one for row in each.rows.to_pylist()]
    assert whole.rows.to_pylist() == expected * times
    errors = [(n + 1, e.field, e.error, e.raw) for n, each in enumerate(one_by_one) for e in each.errors]
    got = [(e.line, e.field, e.error, e.raw) for e in whole.errors]
    assert got == [(n + turn * len(lines), *rest) for turn in range(times) for n, *rest in errors]


@given(st.binary(max_size=300))
def test_any_bytes_have_an_answer(body: bytes) -> None:
    try:
        checked = read(body)
    except BadRequest:
        return
    assert checked.rows.num_rows == 0
    assert len(checked.errors) <= body.count(b"\n") + 1


def test_slices_and_parts_keep_order_and_lines() -> None:
    count = 110_000
    lines = [b'{"player_id":%d,"media_id":2,"played_at":"2026-11-22T08:00:00"}' % n for n in range(count)]
    for wrong in (0, 5_000, 50_000, 99_999, count - 1):
        lines[wrong] = b'{"player_id":%d,"media_id":2,"played_at":"soon"}' % wrong
    lines[60_000] = b""
    checked = read(b"\n".join(lines))
    kept = checked.rows["player_id"].to_pylist()
    assert kept == [n for n in range(count) if n not in {0, 5_000, 50_000, 60_000, 99_999, count - 1}]
    assert [(e.line, e.raw) for e in checked.errors] == [
        (n + 1, lines[n]) for n in (0, 5_000, 50_000, 99_999, count - 1)
    ]
    assert checked.error(59_997, "x", "y").raw == lines[kept[59_997]]


GIVEN_TWICE = [
    (b'"player_id":"x","player_id":5', {"player_id": 5}),
    (b'"player_id":[{}],"player_id":{},"player_id":5', {"player_id": 5}),
    (b'"player_id":1e999,"player_id":99999999999999999999,"player_id":5', {"player_id": 5}),
    (b'"player\\u005fid":"x","player_id":5', {"player_id": 5}),
    (b'"player_id":5,"player_id":6', {"player_id": 6}),
    (b'"player_id":5,"id":7,"id":null', {"id": None}),
    (b'"player_id":5,"id":7,"id":"\\u00e9"', {"id": "\u00e9"}),
    (b'"player_id":5,"player_id":"x"', "player_id"),
    (b'"player_id":"x","player_id":null', "player_id"),
    (b'"player_id":5,"other":1,"other":1', "other"),
    (b'"player_id":"x","player_id":5,"id":9', "id"),
]


@pytest.mark.parametrize("media_type", ["application/x-ndjson", "application/json"])
@pytest.mark.parametrize(("given_twice", "expected"), GIVEN_TWICE)
def test_a_field_given_twice_counts_as_last_given(given_twice: bytes, expected: Any, media_type: str) -> None:
    line = b'{"media_id":2,"played_at":"2026-11-22T08:00:00",%s}' % given_twice
    checked = read_rows(PLAYLOGS, line, media_type)
    if isinstance(expected, dict):
        (row,) = checked.rows.to_pylist()
        assert {name: row[name] for name in expected} == expected
    else:
        assert [(error.line, error.field) for error in checked.errors] == [(1, expected)]


@pytest.mark.parametrize(
    ("attributes", "kept"),
    [
        (b'{"a":{},"a":"x"}', '{"a":"x"}'),
        (b'{"a":1e999,"a":1}', '{"a":1}'),
        (b'{"a":[1],"b":null,"b":2,"a":["x"]}', '{"a":["x"],"b":2}'),
        (b'5,"attributes":{"a":1.0}', '{"a":1.0}'),
        (b'{"a":1,"a":{}}', None),
        (b'{"a":1,"a":1e999}', None),
    ],
)
def test_a_member_given_twice_counts_as_last_given(attributes: bytes, kept: str | None) -> None:
    line = b'{"application":"A","event":"e","time":"2026-11-22T08:00:00Z","attributes":%s}' % attributes
    checked = read_rows(STREAMS["app_events"], line, "application/x-ndjson")
    assert checked.rows["attributes"].to_pylist() == ([] if kept is None else [kept])
