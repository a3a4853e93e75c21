"""A body without a content type: read as what it looks like, or refused in words that say what was seen."""

from __future__ import annotations

import gzip
import io
from contextlib import suppress

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airtally.ingest.decode import MEDIA_TYPES, UnpackedBody, read_rows, unpacked
from airtally.kit.errors import BadRequest, UnsupportedMedia
from airtally.streams import STREAMS

PLAYLOGS = STREAMS["playlogs"]
LINE = b'{"player_id": 1, "media_id": 2, "played_at": "2026-10-01T08:00:00"}'
TABLE = pa.table({"player_id": [1, 1], "media_id": [2, 2], "played_at": ["2026-10-01T08:00:00"] * 2})
CSV = b"player_id,media_id,played_at\n1,2,2026-10-01T08:00:00\n1,2,2026-10-01T08:00:00\n"


def parquet():
    sink = io.BytesIO()
    pq.write_table(TABLE, sink)
    return sink.getvalue()


def arrow_stream():
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, TABLE.schema) as writer:
        writer.write_table(TABLE)
    return sink.getvalue()


READ = {
    "a JSON array": b"[%s, %s]" % (LINE, LINE),
    "an array over lines": b"\n [\n%s,\n%s]\n" % (LINE, LINE),
    "NDJSON": LINE + b"\n" + LINE,
    "NDJSON of Windows": b"\xef\xbb\xbf" + LINE + b"\r\n" + LINE + b"\r\n",
    "NDJSON after blank lines": b"\n\n" + LINE + b"\n\n" + LINE,
    "CSV": CSV,
    "CSV of Windows": b"\xef\xbb\xbf" + CSV.replace(b"\n", b"\r\n"),
    "CSV with quotes": CSV.replace(b"player_id,", b'"player_id", ', 1),
    "Parquet": parquet(),
    "an Arrow stream": arrow_stream(),
}


@pytest.mark.parametrize("case", READ)
@pytest.mark.parametrize("said", ["", "application/octet-stream", " ; x=y"])
def test_read_as_what_it_looks_like(case, said):
    checked = read_rows(PLAYLOGS, READ[case], said)
    assert (checked.rows.num_rows, list(checked.errors)) == (2, [])
    packed = unpacked(gzip.compress(READ[case], mtime=0), "gzip", unpacked_max=1 << 20)
    assert read_rows(PLAYLOGS, packed, said).rows.num_rows == 2


def test_one_object_over_several_lines():
    assert read_rows(PLAYLOGS, LINE.replace(b",", b",\n"), "").rows.num_rows == 1
    assert read_rows(PLAYLOGS, LINE, "").rows.num_rows == 1


def test_columns_that_the_stream_does_not_have_are_told():
    with pytest.raises(UnsupportedMedia, match="CSV whose header names 'payer_id', which is no column of playlogs"):
        read_rows(PLAYLOGS, CSV.replace(b"player_id", b"payer_id"), "")


REFUSED = {
    b"": "nothing at all",
    b" \n\t\r\n": "white space alone",
    b"\xef\xbb\xbf": "white space alone",
    b"<!DOCTYPE html><html>": "begins with '<!DOCTYPE html><html>'",
    b"player=1&media=2": "begins with 'player=1&media=2'",
    b"name;value\n1;2\n": "begins with",
    b"1,2,3\n": "begins with",
    b"\x00\x01\x02": r"begins with '\\x00\\x01\\x02'",
    b"\x1b[31mred\x07": r"begins with '\\x1b\[31mred\\x07'",
    b"x" * 5000: r"x\.\.\.'",
    '"é'.encode(): "begins with",
    b"null": "begins with 'null'",
    gzip.compress(LINE, mtime=0): "gzip; say so with Content-Encoding: gzip",
    b"\x28\xb5\x2f\xfdxx": "zstd; say so",
    b"ARROW1\0\0": "an Arrow file; send an Arrow stream",
    "{}".encode("utf-16"): "text in UTF-16; send UTF-8",
    b"PK\x03\x04....": "a ZIP file or a spreadsheet",
}


@pytest.mark.parametrize("body", REFUSED)
def test_refused_in_words_that_say_what_was_seen(body):
    with pytest.raises(UnsupportedMedia, match=REFUSED[body]) as caught:
        read_rows(PLAYLOGS, body, "")
    assert caught.value.message.startswith("cannot read a body without a content type, which looks like ")
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 400
    assert all(name in caught.value.hint for name in MEDIA_TYPES)


def test_a_wrong_content_type_is_believed_but_told_what_was_seen():
    with pytest.raises(
        UnsupportedMedia, match="of type application/x-www-form-urlencoded, which looks like a JSON array"
    ):
        read_rows(PLAYLOGS, b"[%s]" % LINE, "application/x-www-form-urlencoded")
    with pytest.raises(BadRequest, match="the body is not text/csv but looks like Parquet"):
        read_rows(PLAYLOGS, parquet(), "text/csv")
    with pytest.raises(BadRequest, match="the body is not application/json but looks like an Arrow stream"):
        read_rows(PLAYLOGS, arrow_stream(), "application/json")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("text/csv; charset=iso-8859-1", "cannot read CSV in iso-8859-1"),
        ('text/csv; charset="UTF-16"', "cannot read CSV in utf-16"),
        ("text/csv; header=absent", "cannot read CSV without a header"),
    ],
)
def test_parameters_of_csv_that_ask_for_what_is_not_read(said, words):
    with pytest.raises(UnsupportedMedia, match=words):
        read_rows(PLAYLOGS, CSV, said)


@pytest.mark.parametrize(
    "said", ["text/csv", "Text/CSV; charset=UTF-8", "text/csv;header=present", "text/csv; charset"]
)
def test_parameters_of_csv_that_are_read(said):
    assert read_rows(PLAYLOGS, CSV, said).rows.num_rows == 2


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "must name its columns"),
        (b"\n1,2\n", "must name its columns"),
        (b"player_id,player_id\n", "each once"),
        (b"player_id\r1\r2\r", "a carriage return alone"),
        (b'"player_id\n', "header of the CSV cannot be read"),
        (b"\xff\n", "header of the CSV cannot be read"),
    ],
)
def test_headers_of_csv_that_cannot_be_used(body, words):
    with pytest.raises(BadRequest, match=words):
        read_rows(PLAYLOGS, body, "text/csv")


@given(st.binary(max_size=60) | st.text('{}[],"\n\r:a1 ', max_size=40).map(str.encode))
@example(b"player_id,\n")
@example(b"[" * 5000)
@example(b"{" * 5000)
@example(b'{"a":' * 5000)
def test_any_body_is_read_or_refused(body):
    with suppress(UnsupportedMedia, BadRequest):
        assert read_rows(PLAYLOGS, body, "").rows.num_rows == 0


@pytest.mark.parametrize("case", READ)
def test_however_small_the_pieces_are_that_it_is_unpacked_in(case):
    content = READ[case]
    body = UnpackedBody(len(content), lambda: (content[at : at + 1] for at in range(len(content))))
    assert read_rows(PLAYLOGS, body, "").rows.num_rows == 2
