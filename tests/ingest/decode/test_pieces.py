"""Pieces of files, each read by itself, have the rows and the wrong lines of the whole file."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airtally.ingest.decode import read_file, read_rows
from airtally.ingest.decode.pieces import csv_pieces, json_pieces, ndjson_pieces
from airtally.streams import PLAYLOGS

GOOD = '{"player_id": 1, "media_id": %d, "played_at": "2026-10-01T08:00:00"}'
LINES = st.sampled_from([GOOD % 7, GOOD % 8, "", "  ", "[1]", '{"player_id":', '{"surprise": "é"}', "\x00"])
RECORDS = st.sampled_from(
    ["1,7,2026-10-01T08:00:00", '"1","8","2026-10-01T08:00:00"', "1,2", "", '"1\n,7,x', '1,7,"a\nb"', 'x,"y"z,1', "é,,"]
)
ELEMENTS = st.sampled_from([GOOD % 7, GOOD % 8, '{"surprise": [1, {"a": "},"}]}', "3", '{\n "player_id": "x"}'])
SIZES = st.integers(1, 300)
#: What a piece says of a quote that another one closes, in a later piece of the file.
UNCLOSED = "not CSV: a quote is opened and not closed"


def whole(path):
    """The rows of the file and where its wrong ones are."""
    parts = [part for part, _ in read_file(PLAYLOGS, path)]
    errors = sorted((each.line, each.field or "", each.error) for part in parts for each in part.errors)
    return sum(part.rows.num_rows for part in parts), errors


def by_pieces(pieces, media_type):
    rows, errors = 0, []
    for piece in pieces:
        part = read_rows(PLAYLOGS, piece.body, media_type)
        rows += part.rows.num_rows
        errors += [(each.line + piece.offset, each.field or "", each.error) for each in part.errors]
    return rows, sorted(errors)


@settings(max_examples=40)
@given(lines=st.lists(LINES, max_size=30), size=SIZES, ends=st.booleans())
def test_lines(tmp_path_factory, lines, size, ends):
    path = tmp_path_factory.getbasetemp() / "pieces.ndjson"
    path.write_text("\n".join(lines) + ("\n" if ends else ""))
    assert by_pieces(ndjson_pieces(path, size), "application/x-ndjson") == whole(path)


@settings(max_examples=40)
@given(records=st.lists(RECORDS, max_size=30), size=SIZES, ends=st.booleans())
def test_records(tmp_path_factory, records, size, ends):
    path = tmp_path_factory.getbasetemp() / "pieces.csv"
    path.write_text("\n".join(["player_id,media_id,played_at", *records]) + ("\n" if ends else ""))
    (rows, errors), (all_rows, all_errors) = by_pieces(csv_pieces(path, size), "text/csv"), whole(path)
    assert rows == all_rows
    for found, expected in zip(errors, all_errors, strict=True):
        assert found == expected or (found == (*expected[:2], UNCLOSED) and expected[2].startswith("not CSV: "))


@settings(max_examples=40)
@given(elements=st.lists(ELEMENTS, max_size=3000), size=st.integers(1, 1 << 18))
def test_elements(tmp_path_factory, elements, size):
    path = tmp_path_factory.getbasetemp() / "pieces.json"
    path.write_text(" [" + ",\n".join(elements) + "]\n")
    assert by_pieces(json_pieces(path, size), "application/json") == whole(path)


def test_a_packed_file_is_cut_as_the_plain_one(tmp_path):
    plain, packed = tmp_path / "a.csv", tmp_path / "b.csv.gz"
    plain.write_text("player_id,media_id,played_at\n" + "1,2,2026-10-01T08:00:00\n" * 500)
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert list(csv_pieces(plain, 1000)) == list(csv_pieces(packed, 1000))


@pytest.mark.parametrize("text", ["", "a,a\n1,2\n"], ids=["empty", "twice"])
def test_a_csv_without_a_header_is_refused(tmp_path, text):
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(Exception, match="must name its columns"):
        list(csv_pieces(path))
