"""CSV: a record without the header's columns costs one row, and reading goes on at the next line."""

from __future__ import annotations

import csv as plain
import gzip
import io
import time
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from airtally.ingest.decode import LIMITS, Checked, csv, read_file, read_rows, unpacked
from airtally.ingest.decode.csv_records import OPEN_QUOTE
from airtally.kit.errors import BadRequest
from airtally.streams import STREAMS

PLAYLOGS = STREAMS["playlogs"]
HEADER = b"player_id,media_id,played_at,id\n"
GOOD = b"1,2,2026-11-22 08:00:00,\n"
QUOTED = b'"1","2","2026-11-22 08:00:00","x"\n'


def read_csv(path: Path, text: bytes) -> Checked:
    """From a file, and the same from a body."""
    path.write_bytes(text)
    chunks = [checked for checked, _ in read_file(PLAYLOGS, path)]
    rows = pa.concat_tables([checked.rows for checked in chunks])
    errors = [error for checked in chunks for error in checked.errors]
    encoding = "gzip" if path.suffix == ".gz" else ""
    body = read_rows(PLAYLOGS, unpacked(text, encoding, unpacked_max=1 << 30), "text/csv")
    assert body.rows.equals(rows)
    assert body.errors == errors
    return Checked(rows, errors)


def said(checked: Checked) -> list[tuple[int, str]]:
    return [(error.line, error.error) for error in checked.errors]


@pytest.mark.parametrize(
    ("row", "ending", "rows"),
    [
        (GOOD, ".csv", 200_000),
        (QUOTED, ".csv.gz", 20_000),
        (b'1,2,2026-11-22 08:00:00,"x"\n', ".csv.gz", 20_000),
        (b'1,2,2026-11-22 08:00:00,""\n', ".csv", 20_000),
    ],
)
def test_a_quote_that_is_never_closed_costs_one_row(tmp_path: Path, row: bytes, ending: str, rows: int) -> None:
    text = HEADER + row * 9 + b'"' + GOOD + row * (rows - 10)
    packed = gzip.compress(text, 1) if ending.endswith(".gz") else text
    checked = read_csv(tmp_path / f"a{ending}", packed)
    assert checked.rows.num_rows == rows - 1
    assert [(error.line, error.field, error.raw) for error in checked.errors] == [(11, None, b'"' + GOOD[:-1])]


def test_rows_around_a_broken_one_are_kept_wherever_a_chunk_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    several = b'1,2,2026-11-22 08:00:00,"a\n' + b"more\n" * 9 + b'"\n'
    text = HEADER + GOOD + several + b'1,2,2026-11-22 08:00:00,"open\n' + several + GOOD * 3 + b"1,2\n" + several
    for size in range(1, len(text) + 1, 3):
        monkeypatch.setattr(csv, "CHUNK_BYTES", size)
        monkeypatch.setattr(csv, "BODY_BLOCK", size)
        checked = read_csv(tmp_path / "a.csv", text)
        assert [line for line, _ in said(checked)] == [14, 29]
        assert checked.rows["id"].to_pylist() == [
            None,
            *["a\n" + "more\n" * 9] * 2,
            None,
            None,
            None,
            "a\n" + "more\n" * 9,
        ]


# Each kind opens a quote on every line. The last two go on to another cell at each line: only the
# columns of the header bound how far they are read.
@pytest.mark.parametrize("line", [b'"' + GOOD, b'1,"\n', b'1,2,2026-11-22 08:00:00,"x\n', b'a","c\n', b'x,"a\n,b",\n'])
def test_a_file_whose_every_line_opens_a_quote_is_read_in_linear_time(tmp_path: Path, line: bytes) -> None:
    def seconds(lines: int) -> float:
        begun = time.process_time()
        checked = read_csv(tmp_path / "a.csv", HEADER + line * lines)
        assert checked.rows.num_rows == 0 or line.startswith(b"1,2")
        return time.process_time() - begun

    seconds(1000)
    assert seconds(64_000) < 32 * max(seconds(8_000), 0.05)


def test_rows_that_are_wrong_are_named(tmp_path: Path) -> None:
    checked = read_csv(
        tmp_path / "a.csv",
        b"\xef\xbb\xbf" + HEADER + GOOD + b"x,2,2026-11-22 08:00:00,a\r\n\r\n1,2\n" + GOOD
        + b'1,2,2026-11-22 08:00:00,"a\nb"\n' + b'1,2,2026-11-22 08:00:00,"a"b\n' + b"1,2,2026-11-22 08:00:00,\xff\n"
        + b"99999999999999999999,2,2026-11-22 08:00:00,\n" + GOOD + b'1,2,2026-11-22 08:00:00,"open\n' + GOOD,
    )  # fmt: skip
    assert [(e.line, e.field, e.error, e.raw) for e in checked.errors] == [
        (3, "player_id", "expected integer, got string", b"x,2,2026-11-22 08:00:00,a"),
        (5, None, "expected 4 columns, got 2", b"1,2"),
        (9, None, "not CSV: ',' expected after '\"'", b'1,2,2026-11-22 08:00:00,"a"b'),
        (10, None, "invalid UTF-8", b"1,2,2026-11-22 08:00:00,\xff"),
        (11, "player_id", "number out of range", b"99999999999999999999,2,2026-11-22 08:00:00,"),
        (13, None, OPEN_QUOTE, b'1,2,2026-11-22 08:00:00,"open'),
    ]
    assert checked.rows["id"].to_pylist() == [None, None, "a\nb", None, None]


@pytest.mark.parametrize(
    ("row", "ids", "errors"),
    [
        (b'1,2,2026-11-22 08:00:00,a"b\n', ['a"b'], []),
        (b'1,2,2026-11-22 08:00:00,"a""b"\n', ['a"b'], []),
        (b'1,2,2026-11-22 08:00:00,"a\r\nb"\r\n', ["a\r\nb"], []),
        (b'1,2,2026-11-22 08:00:00,"a\rb"\n', ["a\rb"], []),
        (b"1,2,2026-11-22 08:00:00,a\r\r\n", ["a"], []),
        (b"1,2,2026-11-22 08:00:00,a\rb\n", [], ["not CSV: a carriage return within the line, outside quotes"]),
        (b"1,2,2026-11-22 08:00:00,a\0b\n", [], ["holds the character U+0000"]),
        (b"1\0,2,2026-11-22 08:00:00,a\n", [], ["expected integer, got string"]),
        (b"1,2,2026-11-22 08:00:00,a,b,c\n", [], ["expected 4 columns, got 6"]),
        (b'1,2,2026-11-22 08:00:00,"a\nb",c\n', [], ["expected 4 columns, got more", "expected 4 columns, got 2"]),
        (b'"1\n2",3\n', [], ["expected 4 columns, got 2", "expected 4 columns, got 2"]),
        (b'"\n\n\n', [], [OPEN_QUOTE]),
        (b'1,2,2026-11-22 08:00:00,"a\n\xff"\n', [], ["invalid UTF-8"]),
        (b"   \n", [], ["expected 4 columns, got 1"]),
        (b"\n\r\n\n", [], []),
    ],
)
@pytest.mark.parametrize("more", [GOOD, b""])
def test_one_odd_record_among_good_ones(
    tmp_path: Path, row: bytes, ids: list[str], errors: list[str], more: bytes
) -> None:
    checked = read_csv(tmp_path / "a.csv", HEADER + GOOD + row + more)
    assert checked.rows["id"].to_pylist() == [None, *ids, *[None] * bool(more)]
    assert [error for _, error in said(checked)] == errors
    unended = read_csv(tmp_path / "a.csv", HEADER + GOOD + (row + more).removesuffix(b"\n").removesuffix(b"\r"))
    assert unended.rows["id"].to_pylist() == checked.rows["id"].to_pylist()


def test_a_record_over_the_limit_is_one_row_error_and_its_lines_are_read(tmp_path: Path) -> None:
    long = b'1,2,2026-11-22 08:00:00,"' + b"x" * LIMITS.line_max + b'"\n'
    checked = read_csv(tmp_path / "a.csv", HEADER + GOOD + long + GOOD)
    assert said(checked) == [(3, "line longer than 1 MiB")]
    assert checked.rows.num_rows == 2
    several = b'1,2,2026-11-22 08:00:00,"\n' + GOOD * (LIMITS.line_max // len(GOOD)) + b'"\n'
    checked = read_csv(tmp_path / "a.csv", HEADER + several)
    assert said(checked) == [(2, OPEN_QUOTE), (1 + several.count(b"\n"), OPEN_QUOTE)]
    assert checked.rows.num_rows == several.count(b"\n") - 2


@pytest.mark.parametrize("header", [b"", b"\n", b"a,a\n", b"\xff\n", b'"a', b"player_id,media_id\r1,2\r3,4\r"])
def test_a_header_that_cannot_be_used_is_refused(tmp_path: Path, header: bytes) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(header + b"1,2\n" if header else b"")
    with pytest.raises(BadRequest):
        list(read_file(PLAYLOGS, path))


def test_json_and_money_columns_hold_text(tmp_path: Path) -> None:
    path = tmp_path / "e.csv"
    path.write_text(
        'application,event,time,attributes\nA,e,2026-11-22T08:00:00Z,"{""b"":1,""a"":[]}"\nA,e,2026-11-22T08:00:00Z,x\n'
    )
    ((checked, _),) = list(read_file(STREAMS["app_events"], path))
    assert checked.rows["attributes"].to_pylist() == ['{"a":[],"b":1}']
    assert checked.errors[0].field == "attributes"
    path.write_text("ad_group_id,time,kind,spend,count\ng,2026-11-22T08:00:00Z,install,-1.50,\n")
    ((checked, _),) = list(read_file(STREAMS["ad_events"], path))
    assert checked.rows.select(["spend", "count"]).to_pylist()[0]["count"] == 1


def naive(lines: list[str], width: int) -> tuple[list[list[str]], list[int]]:
    """The records and the numbers of the refused lines: at each line all that may follow is tried."""
    rows, refused, at = [], [], 0
    while at < len(lines):
        reader = plain.reader(lines[at:], strict=True)
        try:
            row = next(reader)
        except plain.Error:
            row = []
        if len(row) == width:
            rows.append(row)
            at += reader.line_num
        else:
            if lines[at].strip("\r\n"):
                refused.append(at + 2)
            at += 1
    return rows, refused


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.text('",\r1a', max_size=9).map(lambda text: text.lstrip("\r")), max_size=12),
    st.sampled_from([1, 7, 64]),
)
@example(['"', '""', '"'], 1)
def test_records_are_those_that_a_naive_reading_finds(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], size: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "drawn.csv"
    lines = [text + "\n" for text in texts]
    rows, refused = naive(lines, 2)
    path.write_bytes(b"player_id,id\n" + "".join(lines).encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv, "CHUNK_BYTES", size)
        patch.setattr(csv, "SLICE", 1 + size // 2)
        errors = [error for checked, _ in read_file(PLAYLOGS, path) for error in checked.errors]
    # Records of the right width miss what the stream requires: they have the name of a field.
    assert [error.line for error in errors if error.field is None] == refused
    found = [
        next(plain.reader(io.StringIO(error.raw.decode(), newline=""))) for error in errors if error.field is not None
    ]
    assert found == rows
