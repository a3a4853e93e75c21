from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import feather, ipc

from airtally.ingest.decode import Checked, csv, ndjson, parquet, read_file
from airtally.ingest.decode import json as json_module
from airtally.kit.errors import BadRequest, UnsupportedMedia
from airtally.streams import STREAMS

PLAYLOGS = STREAMS["playlogs"]
ROWS = 3_000


def play(number: int) -> dict[str, Any]:
    return {
        "player_id": None if number % 1000 == 7 else number,
        "media_id": 2,
        "played_at": "2026-11-22T08:00:00",
        "id": f'i{number},"}}\n' if number % 100 == 5 else f"i{number}",
        "duration_seconds": 1.5,
    }


PLAYS = [play(number) for number in range(ROWS)]


def write_ndjson(path: Path) -> None:
    path.write_bytes(b"".join(json.dumps(row).encode() + b"\n" for row in PLAYS))


def write_csv(path: Path) -> None:
    import csv as plain

    with path.open("w", newline="", encoding="utf-8") as file:
        writer = plain.DictWriter(file, list(PLAYS[0]))
        writer.writeheader()
        writer.writerows(PLAYS)


def write_json(path: Path) -> None:
    path.write_text(json.dumps(PLAYS, indent=1))


def write_parquet(path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(PLAYS), path, row_group_size=700)


def write_arrow(path: Path) -> None:
    table = pa.Table.from_pylist(PLAYS)
    with ipc.new_file(path, table.schema) as writer:
        writer.write_table(table, max_chunksize=700)


def write_arrows(path: Path) -> None:
    table = pa.Table.from_pylist(PLAYS)
    with ipc.new_stream(path, table.schema) as writer:
        writer.write_table(table, max_chunksize=700)


def write_feather(path: Path) -> None:
    feather.write_feather(pa.Table.from_pylist(PLAYS), path)


def packed(write: Callable[[Path], None], ending: str) -> Callable[[Path], None]:
    def pack(path: Path) -> None:
        plain = path.with_suffix("")
        write(plain)
        data = plain.read_bytes()
        if ending == ".gz":
            path.write_bytes(gzip.compress(data[:1000]) + gzip.compress(data[1000:]))
        else:
            path.write_bytes(pa.compress(data, "zstd", asbytes=True))

    return pack


FORMATS: dict[str, Callable[[Path], None]] = {
    "a.ndjson": write_ndjson,
    "a.JSONL": write_ndjson,
    "a.b.csv": write_csv,
    "a.json": write_json,
    "lines.json": write_ndjson,
    "a.parquet": write_parquet,
    "a.arrow": write_arrow,
    "a.arrows": write_arrows,
    "a.feather": write_feather,
    "a.ndjson.gz": packed(write_ndjson, ".gz"),
    "a.csv.gz": packed(write_csv, ".gz"),
    "a.ndjson.zst": packed(write_ndjson, ".zst"),
    "a.json.zst": packed(write_json, ".zst"),
}


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (csv, json_module, ndjson):
        monkeypatch.setattr(module, "CHUNK_BYTES", 100_000)
    monkeypatch.setattr(json_module, "WINDOW", 5_000)
    monkeypatch.setattr(parquet, "CHUNK_ROWS", 1_000)


def content(checked: Checked) -> tuple[list[Any], list[Any]]:
    return checked.rows.to_pylist(), [(e.line, e.field, e.error, e.raw) for e in checked.errors]


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_is_read_whole_and_from_every_position(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    FORMATS[name](path)
    chunks = [(content(checked), position) for checked, position in read_file(PLAYLOGS, path)]
    assert len(chunks) > 1
    assert [row["player_id"] for (rows, _), _ in chunks for row in rows] == [n for n in range(ROWS) if n % 1000 != 7]
    assert [row["id"] for (rows, _), _ in chunks for row in rows][5] == PLAYS[5]["id"]
    errors = [error for (_, errors), _ in chunks for error in errors]
    assert [(field, error) for _, field, error, _ in errors] == [("player_id", "required")] * 3
    if "csv" not in name:  # quoted line ends count
        assert [line for line, *_ in errors] == [8, 1008, 2008] or "json" in name
    for number, (_, position) in enumerate(chunks):
        left = [(content(checked), after) for checked, after in read_file(PLAYLOGS, path, start=position)]
        assert left == chunks[number + 1 :]


@pytest.mark.parametrize("name", ["a.txt", "a", "a.gz", "a.parquet.gz", ".ndjson.", "a.xlsx"])
def test_a_name_that_says_no_format_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnsupportedMedia):
        read_file(PLAYLOGS, tmp_path / name)


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_that_is_cut_short_gives_what_is_whole(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    FORMATS[name](path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    rows = 0
    try:
        for checked, _ in read_file(PLAYLOGS, path):
            rows += checked.rows.num_rows
    except BadRequest as error:
        assert name in error.message or "JSON" in error.message  # noqa: PT017
    else:
        assert rows > 1000
    assert rows < ROWS


def test_a_missing_file_is_an_error_of_its_own(tmp_path: Path) -> None:
    for name in ("a.csv", "a.ndjson", "a.json", "a.parquet", "a.arrow", "a.csv.gz", "a.json.zst"):
        with pytest.raises(OSError, match=r"No such file|Failed to open"):
            list(read_file(PLAYLOGS, tmp_path / name))


def test_lines_far_over_the_limit_do_not_fill_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    good = json.dumps(PLAYS[0]).encode() + b"\n"
    path.write_bytes(good * 3 + b"x" * (9 << 20) + b"\n" + good * 2 + b"y" * (3 << 20))
    chunks = list(read_file(PLAYLOGS, path))
    assert sum(checked.rows.num_rows for checked, _ in chunks) == 5
    errors = [error for checked, _ in chunks for error in checked.errors]
    assert [(error.line, error.error, len(error.raw)) for error in errors] == [
        (4, "line longer than 1 MiB", 1 << 20),
        (7, "line longer than 1 MiB", 1 << 20),
    ]
    assert chunks[-1][1] == path.stat().st_size


HEADER = b"player_id,media_id,played_at,id\n"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=300) | st.text(',"\n\r1a', max_size=200).map(str.encode),
    st.sampled_from(["a.csv", "a.json", "a.ndjson"]),
)
def test_any_bytes_have_an_answer(tmp_path: Path, body: bytes, name: str) -> None:
    path = tmp_path / name
    path.write_bytes((HEADER if name == "a.csv" else b"") + body)
    try:
        for checked, _ in read_file(PLAYLOGS, path):
            assert checked.rows.num_rows == 0
    except BadRequest:
        return
