"""The same row has the same outcome in every format that it can come in: what a naive reader makes of it."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from airtally.ingest.checked import joined
from airtally.ingest.decode import Checked, read_file, read_rows
from airtally.streams import STREAMS
from fixtures.edge_bodies import csv_text, is_json, json_array, ndjson, packed
from fixtures.edges import Drawn, drawn_rows, stored


def outcome(checked: Checked, drawn: Drawn, first_line: int = 1) -> dict[int, dict[str, Any]]:
    """The rows that were taken, by their number; each of the others has an error."""
    gone = {error.line - first_line for error in checked.errors}
    assert len(gone) == len(checked.errors)
    assert all(error.raw and error.error for error in checked.errors)
    left = [row for row in range(drawn.count) if row not in gone]
    return dict(zip(left, (stored(row, drawn.stream) for row in checked.rows.to_pylist()), strict=True))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("drawn")


def from_file(drawn: Drawn, path: Path, body: bytes) -> Checked:
    path.write_bytes(body)
    chunks = [checked for checked, _ in read_file(drawn.stream, path)]
    return joined(drawn.stream.row_schema, chunks, [], chunks[0].source)


@pytest.mark.parametrize("stream", STREAMS)
@settings(
    max_examples=10, phases=[Phase.generate, Phase.shrink], deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
@given(data=st.data())
def test_a_row_has_one_outcome_in_all_formats(folder: Path, stream: str, data: st.DataObject) -> None:
    drawn = data.draw(drawn_rows(STREAMS[stream]))
    expected = drawn.expected()
    for name, checked in read_in_all_formats(drawn, folder, data):
        found = outcome_by_order(checked, drawn, expected) if name == "a.csv" else outcome(checked, drawn)
        assert found == expected, (name, [(error.line, error.field, error.error) for error in checked.errors])


def read_in_all_formats(drawn: Drawn, folder: Path, data: st.DataObject) -> Iterator[tuple[str, Checked]]:
    lines = ndjson(drawn)
    yield "NDJSON", read_rows(drawn.stream, lines, "application/x-ndjson")
    yield "a.ndjson.gz", from_file(drawn, folder / "a.ndjson.gz", gzip.compress(lines))
    if is_json(drawn):
        yield "JSON", read_rows(drawn.stream, json_array(drawn), "application/json")
    # Left to itself this writer does not quote a carriage return.
    bare = not any("\r" in cell.csv for row in drawn.texts() for cell in row.values())
    text = csv_text(drawn, csv.QUOTE_MINIMAL if bare and data.draw(st.booleans()) else csv.QUOTE_ALL)
    yield "a.csv", from_file(drawn, folder / "a.csv", text)
    for name, media_type in (("a.parquet", "parquet"), ("a.arrows", "arrow.stream")):
        body = packed(drawn, name, data)
        yield media_type, read_rows(drawn.stream, body, f"application/vnd.apache.{media_type}")
        yield name, from_file(drawn, folder / name, body)
    for name in ("a.arrow", "a.feather"):
        yield name, from_file(drawn, folder / name, packed(drawn, name, data))


def outcome_by_order(checked: Checked, drawn: Drawn, expected: dict[int, Any]) -> dict[int, dict[str, Any]]:
    """Of CSV, whose records may stand on several lines."""
    assert len(checked.errors) + checked.rows.num_rows == drawn.count
    return dict(zip(expected, (stored(row, drawn.stream) for row in checked.rows.to_pylist()), strict=False))
