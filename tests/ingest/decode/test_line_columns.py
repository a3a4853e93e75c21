"""Lines read as columns give what they give one by one, to the bit, or are read one by one after all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from airtally.ingest.decode import Checked, DecodeLimits, read_file, read_rows, unpacked
from airtally.ingest.decode import ndjson as ndjson_module
from airtally.ingest.decode.line_columns import line_reader
from airtally.ingest.decode.line_form import LineForm
from airtally.kit import metrics
from airtally.kit.errors import Failure
from airtally.streams import PLAYLOGS, STREAMS
from airtally.streams.declaration import Column, Stream, Type
from fuzz.chance import Chance
from fuzz.decoding.draw import draw

NDJSON = "application/x-ndjson"
GOOD = b'{"player_id":1,"media_id":2,"played_at":"2026-11-22T08:00:00"}'


@pytest.fixture(autouse=True)
def small_bodies_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ndjson_module, "FEWEST_BYTES", 0)


def bits(table: pa.Table) -> list[Any]:
    """Values, of doubles their bits: equality would take -0.0 for 0.0."""
    whole = table.combine_chunks()
    return [
        (column.view(pa.int64()) if pa.types.is_floating(column.type) else column).to_pylist()
        for column in (each.chunk(0) if each.num_chunks else each.combine_chunks() for each in whole.columns)
    ]


def outcome(stream: Stream, body: bytes, limits: DecodeLimits) -> Any:
    try:
        checked = read_rows(stream, body, NDJSON, limits=limits)
    except Failure as failure:
        return type(failure), failure.message
    errors = [(error.line, error.field, error.error, error.raw, error.row) for error in checked.errors]
    placed = [checked.error(row, "x", "y") for row in range(checked.rows.num_rows)]
    return bits(checked.rows), errors, checked.gone.tolist(), [(each.line, each.raw) for each in placed]


def check_alike(stream: Stream, body: bytes, **limits: int) -> None:
    assert outcome(stream, body, DecodeLimits(**limits)) == outcome(stream, body, DecodeLimits(columns=False, **limits))


def counted(way: str) -> float:
    return float(metrics.BODIES_READ.labels(way)._value.get())


def read_by(body: bytes, stream: Stream = PLAYLOGS, **limits: int) -> str:
    """The way in which a body was read, by the counter of `/metrics`."""
    before = {way: counted(way) for way in ("columns", "rows", "both")}
    read_rows(stream, body, NDJSON, limits=DecodeLimits(**limits))
    (way,) = [way for way, count in before.items() if counted(way) > count]
    return way


#: A value of each type that every column of it takes.
PLAIN: dict[Type, bytes] = {
    Type.INT64: b"1",
    Type.DOUBLE: b"8.25",
    Type.TEXT: b'"I"',
    Type.TIME: b'"2026-11-22T08:00:00Z"',
    Type.LOCAL_TIME: b'"2026-11-22T08:00:00"',
    Type.DECIMAL: b"1.50",
    Type.JSON: b"{}",
}
#: Where the two libraries differ, or might.
ODD = [
    b"null", b"true", b"false", b"0", b"-0", b"-0.0", b"0.0", b"1.0", b"1e3", b"1E+2", b"1e-7", b"10e-7", b"0e-9", b"01", b"+1", b".5", b"1.",
    b"-", b"NaN", b"-Infinity", b"Infinity", b"inf", b"nan", b"1e999", b"-1e999", b"1e-999", b"-1e-999", b"5e-324", b"2.4703282292062327e-324",
    b"1.7976931348623157e308", b"1.7976931348623159e308", b"9007199254740993", b"9007199254740992.5", b"0.1", b"123456789012345678901234567890",
    b"9223372036854775807", b"9223372036854775808", b"-9223372036854775808", b"-9223372036854775809", b"18446744073709551616", b"0x1F",
    b"999999999999.999999", b"1000000000000", b"1000000000000.0", b"-999999999999.9999995", b"1.1000000", b"1.0000001", b"1e30", b"1e37", b"-9e36",
    b"170141183460469231731687303715884.105728", b'""', b'"1"', b'"1.5"', b'"1e5"', b'"+1"', b'".5"', b'"1."', b'" 1"', b'"0x1"', b'"NaN"', b'"inf"',
    b'"-0"', b'"-0.0000001"', b'"1_0"', b'"null"', b'"\\u0031"', b'"\\ud800"', b'"\\udc00"', b'"\\ud83d\\ude00"', b'"\\uD83D\\u0041"', b'"\\u0000"',
    b'"\\/\\b\\f\\n\\r\\t\\\\\\""', b'"\\x"', b'"\\u00e"', b'"\xc3\xa9"', b'"\xff"', b'"\xed\xa0\x80"', b'"\xc0\x80"', b'"\xf4\x90\x80\x80"',
    b'"a\tb"', b'"a\x00b"', b'"a\x7fb"', b'"a\x1fb"', b"'a'", b'"', b"", b"[]", b"[1]", b"{}", b'{"a":1}', b'{"a":1,"a":2}', b"[[[[[[", b"/* */1", b"1//",
    b'"2026-11-22T08:00:00"', b'"2026-11-22T08:00:00Z"', b'"2026-11-22T08:00:00.5Z"', b'"2026-11-22T08:00:00.123456789Z"', b'"2026-11-22T08:00:00+03:00"',
    b'"2026-11-22T08:00:00+0300"', b'"2026-11-22"', b'"2026-02-30T00:00:00Z"', b'"2026-11-22t08:00:00z"', b'"2026-11-22T08:00:60Z"', b'"2026-11-22T08:00Z"',
    b'"1969-12-31T23:59:59Z"', b'"2101-01-01T00:00:00Z"', b'"0000-01-01T00:00:00Z"', b'"2026-11-22T08:00:00.Z"', b'"2026-11-22T08:00:00.123+00"',
    b"1763798400", b'"' + b"x" * 300 + b'"', b'"' + b"\xc3\xa9" * 140 + b'"',
]  # fmt: skip
#: What becomes of a whole line.
AROUND = [
    b"%s", b" %s", b"%s ", b"%s\r", b"\t%s\t", b"%s%s", b"%s %s", b"%s,%s", b"[%s]", b"%s}", b"{%s", b"%s#", b"%s\x00", b"\x00%s", b"\n%s", b"%s\n", b"\xef\xbb\xbf%s",
    b"%s//c", b"%s/**/", b"%s\x0b", b"{}", b"", b"  ", b"null", b"}", b"{", b"{}{}", b"}{", b'{"x":{}\n{"y":1}}', b'{"id":"}\n{"}', b'{"id":"a}\r\n{b"}',
]  # fmt: skip
KEYS = [
    b'"%s"',
    b' "%s" ',
    b'"%s" ',
    b'"%s\\u0020"',
    b'"%s "',
    b'"\\u0069d"',
    b'"id"',
    b'"ID"',
    b'""',
    b'"is_deleted"',
    b"%s",
    b'"\xff"',
]


def line_of(stream: Stream, changed: dict[str, bytes] | None = None, more: bytes = b"") -> bytes:
    values = {column.name: PLAIN[column.type] for column in stream.columns if column.type is not Type.JSON}
    values |= changed or {}
    return b"{%s}" % b",".join(
        [*(b'"%s":%s' % (name.encode(), value) for name, value in values.items() if value), *([more] if more else [])]
    )


numbers = st.one_of(
    st.integers(-(2**70), 2**70).map(lambda n: str(n).encode()),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda n: repr(n).encode()),
    st.from_regex(rb"-?(0|[1-9][0-9]{0,24})(\.[0-9]{1,24})?([eE][+-]?[0-9]{1,3})?", fullmatch=True),
    st.from_regex(rb"\"[+-]?[0-9]{0,20}\.?[0-9]{0,20}([eE][+-]?[0-9]{1,3})?\"", fullmatch=True),
)
texts = st.text(max_size=8).map(lambda text: json.dumps(text).encode()) | st.text(max_size=8).map(
    lambda text: json.dumps(text, ensure_ascii=False).encode(errors="surrogatepass")
)


@st.composite
def bodies(draw_: st.DrawFn) -> tuple[Stream, bytes]:
    stream = draw_(st.sampled_from(list(STREAMS.values())))
    lines = []
    for _ in range(draw_(st.integers(1, 3))):
        changed: dict[str, bytes] = {}
        for column in draw_(st.lists(st.sampled_from(stream.columns), max_size=2)):
            changed[column.name] = draw_(st.sampled_from(ODD) | numbers | texts)
        more = b""
        if draw_(st.integers(0, 7)) == 0:
            key = draw_(st.sampled_from(KEYS))
            name = draw_(st.sampled_from(stream.columns)).name.encode()
            more = (key % name if b"%s" in key else key) + b":" + draw_(st.sampled_from(ODD))
        line = line_of(stream, changed, more)
        around = draw_(st.sampled_from(AROUND)) if draw_(st.integers(0, 5)) == 0 else b"%s"
        lines.append(around.replace(b"%s", line))
    return stream, draw_(st.sampled_from([b"\n", b"\n", b"\r\n"])).join(lines) + draw_(st.sampled_from([b"", b"\n"]))


@st.composite
def alike(draw_: st.DrawFn) -> tuple[Stream, bytes]:
    """Lines of one form, but for what is odd in one of them."""
    stream = draw_(st.sampled_from(list(STREAMS.values())))
    columns = draw_(st.lists(st.sampled_from(stream.columns), min_size=1, unique_by=lambda column: column.name))
    comma, colon = draw_(st.sampled_from([(b",", b":"), (b", ", b": ")]))
    end = draw_(st.sampled_from([b"\n", b"\r\n"]))
    odd, many = draw_(st.sampled_from(columns)).name, draw_(st.integers(1, 4))
    each = draw_(st.lists(st.sampled_from(ODD) | numbers | texts | st.none(), min_size=many, max_size=many))
    lines = [
        b"{%s}"
        % comma.join(
            b'"%s"%s%s'
            % (column.name.encode(), colon, value if column.name == odd and value is not None else PLAIN[column.type])
            for column in columns
        )
        for value in each
    ]
    if draw_(st.integers(0, 3)) == 0:
        lines.insert(draw_(st.integers(0, many)), draw_(st.sampled_from(AROUND)).replace(b"%s", lines[0]))
    return stream, end.join(lines) + draw_(st.sampled_from([b"", end, b"\n"]))


@settings(max_examples=400)
@given(bodies() | alike())
@example((PLAYLOGS, GOOD + GOOD))
def test_columns_give_what_rows_give(given_body: tuple[Stream, bytes]) -> None:
    check_alike(*given_body)


COLUMNS = {
    (column.type, column.minimum, column.maximum): (stream, column)
    for stream in STREAMS.values()
    for column in stream.columns
}


@pytest.mark.parametrize(("stream", "column"), COLUMNS.values(), ids=lambda each: each.name)
def test_every_odd_value_in_every_kind_of_column(stream: Stream, column: Column) -> None:
    usual = line_of(stream, {column.name: PLAIN[column.type]})
    for odd in ODD:
        line = line_of(stream, {column.name: odd})
        check_alike(stream, line)
        check_alike(stream, b"\n".join([usual, line]))


@pytest.mark.parametrize("around", AROUND, ids=repr)
def test_every_odd_line_among_good_ones(around: bytes) -> None:
    check_among_good_ones(around.replace(b"%s", GOOD))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"player_id", b"media_id"), (b"player_id", b"layer_id"), (b"player_id", b"player_ID"), (b"player_id", b"player_i"), (b'":2', b'" :2'), (b'":2', b'": 2'),
        (b'"player_id":1,"media_id":2', b'"media_id":1,"player_id":2'), (b",", b", "), (b",", b";"), (b":1", b"=1"), (b'"}', b'"'), (b'"}', b'"]'), (b'"}', b'" }'),
        (b"}", b"}}"), (b"{", b" "), (b"{", b"["), (b":1,", b":1 ,"), (b":1,", b":,"), (b":1,", b":1,1,"), (b":2,", b":2},"), (b'{"', b'{,"'),
    ],
)  # fmt: skip
def test_lines_of_nearly_the_same_form(old: bytes, new: bytes) -> None:
    check_among_good_ones(GOOD.replace(old, new))


def check_among_good_ones(odd: bytes) -> None:
    for lines in ([odd], [GOOD, odd], [odd, GOOD], [GOOD, odd, GOOD, odd]):
        check_alike(PLAYLOGS, b"\n".join(lines))
        check_alike(PLAYLOGS, b"\n".join(lines) + b"\n")


@pytest.mark.parametrize("seed", range(4))
def test_what_the_fuzzer_draws(seed: int) -> None:
    chance = Chance(seed)
    for _ in range(60):
        body = draw(chance, date(2026, 11, 27), files=False)
        if body.kind == NDJSON and not body.encoding and len(body.content) < 1 << 20:
            check_alike(STREAMS[body.stream], body.content)


@pytest.mark.parametrize("name", STREAMS)
def test_rows_of_every_stream_are_read_as_columns(name: str) -> None:
    stream = STREAMS[name]
    line = line_of(stream)
    read = line_reader(stream).read(b"\n".join([line] * 3))
    assert read is not None
    assert read.count == 3
    form = LineForm.of(stream, line + b"\n")
    assert form is not None
    assert form.read(b"\n".join([line] * 3)) == read
    assert form.read(b"\n".join([line, line, b"{}"])) is None
    of_other_form = line_reader(stream).read(b"\n".join([line, line, b"{}"]))
    assert of_other_form is not None
    assert of_other_form.count == 3


def test_a_value_that_is_missing_from_all_lines_belongs_to_their_form() -> None:
    lines = [b'{"id": null, "player_id": %d, "type": "I"}\r\n' % number for number in range(9)]
    form = LineForm.of(PLAYLOGS, lines[0])
    assert form is not None
    read = form.read(b"".join(lines))
    assert read is not None
    assert {name: column.to_pylist() for name, column in read.columns.items()} == {
        "player_id": list(range(9)),
        "type": ["I"] * 9,
    }


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b"[]",
        b"{]",
        b'{"id":"x"',
        b'{"id":"x"},',
        b'{"id":"x",}',
        b'{"id":"x","id":"y"}',
        b'{"other":1}',
        b'{"id":"\\u0020"}',
        b'x"id":"x"}',
    ],
)
def test_a_line_of_no_form(line: bytes) -> None:
    assert LineForm.of(PLAYLOGS, line + b"\n") is None


@pytest.mark.parametrize(
    ("line", "way"),
    [
        (GOOD, "columns"),
        (GOOD[:-1] + b',"id":"\\u00e9\xc3\xa9","type":null}', "columns"),
        (GOOD[:-1] + b',"player_id":1}', "rows"),
        (GOOD[:-1] + b',"other":1}', "rows"),
        (GOOD[:-1] + b',"duration_seconds":-0}', "rows"),
        (GOOD[:-1] + b',"duration_seconds":NaN}', "rows"),
        (GOOD[:-1] + b',"type":"none such"}', "rows"),
        (GOOD + GOOD, "rows"),
        (b"\xef\xbb\xbf" + GOOD, "columns"),
        (b" " + GOOD, "rows"),
    ],
)
def test_the_counter_tells_how_a_body_was_read(line: bytes, way: str) -> None:
    assert read_by(line) == way


def test_a_body_of_few_bytes_is_read_by_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert read_by(GOOD) == "rows"
    assert read_by(b"\n".join([GOOD] * 100)) == "rows"
    assert read_by(b"\n".join([GOOD] * 5_000)) == "columns"
    assert read_by(b"\n".join([GOOD] * 5_000), columns=False) == "rows"


def _with_wrong(wrong: set[int], count: int) -> bytes:
    return b"\n".join(GOOD if at not in wrong else b'{"player_id":"x"}' for at in range(count))


def test_after_a_wrong_line_columns_are_tried_again_ever_more_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[bool] = []
    take = ndjson_module.Gatherer.take_columns

    def noted(self: Any, *given_: Any) -> bool:
        tried.append(take(self, *given_))
        return tried[-1]

    monkeypatch.setattr(ndjson_module.Gatherer, "take_columns", noted)
    lines = (8 << 20) // (len(GOOD) + 1)
    checked = read_rows(PLAYLOGS, _with_wrong({5}, lines), NDJSON)
    assert (len(checked.errors), checked.rows.num_rows) == (1, lines - 1)
    assert tried[0] is False
    assert tried.count(False) == 1
    assert tried.count(True) >= 6
    tried.clear()
    read_rows(PLAYLOGS, _with_wrong(set(range(0, lines, 1000)), lines), NDJSON)
    assert len(tried) <= 5
    assert not any(tried)


def test_wrong_rows_keep_their_lines_between_those_read_as_columns() -> None:
    count = (3 << 20) // (len(GOOD) + 1)
    check_alike_large(_with_wrong({0, count // 2, count - 1}, count))


def check_alike_large(body: bytes) -> None:
    found: list[Checked] = [read_rows(PLAYLOGS, body, NDJSON, limits=DecodeLimits(columns=on)) for on in (True, False)]
    assert found[0].rows.equals(found[1].rows)
    assert list(found[0].errors) == list(found[1].errors)
    assert found[0].gone.tolist() == found[1].gone.tolist()


def test_long_lines_are_refused_alike() -> None:
    long = GOOD[:-1] + b',"id":"%s"}' % (b"x" * 200)
    check_alike(PLAYLOGS, b"\n".join([GOOD, long, GOOD]), line_max=100)
    check_alike(PLAYLOGS, b"\n".join([long, long]), line_max=len(long))


def packed_body(body: bytes) -> Any:
    import gzip

    return unpacked(gzip.compress(body, 1), "gzip", unpacked_max=1 << 30)


def test_large_bodies_and_files_are_read_as_columns(tmp_path: Any) -> None:
    count = (9 << 20) // (len(GOOD) + 1)
    lines = (b'{"player_id":%d,"media_id":2,"played_at":"2026-11-22T08:00:00"}' % number for number in range(count))
    body = b"\n".join(lines)
    before = counted("columns")
    checked = read_rows(PLAYLOGS, packed_body(body), NDJSON)
    assert counted("columns") == before + 1
    assert checked.rows["player_id"].to_pylist() == list(range(count))
    assert checked.error(count - 1, "x", "y").line == count
    (tmp_path / "plays.ndjson").write_bytes(body)
    parts: Iterator[tuple[Checked, int]] = read_file(PLAYLOGS, tmp_path / "plays.ndjson")
    assert sum(part.rows.num_rows for part, _ in parts) == count
    assert counted("columns") == before + 2
