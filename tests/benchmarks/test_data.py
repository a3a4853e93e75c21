from __future__ import annotations

import gzip
from pathlib import Path

from airtally.demo.playlogs import Playlogs
from benchmarks import data, references

SMALL = Playlogs(days=2, rows=5_000, players=4)


def test_bodies_together_are_the_file(tmp_path: Path) -> None:
    source = data.ndjson(tmp_path, SMALL)
    made = data.bodies(source, 700, gzipped=True)
    held = made.file.read_bytes()
    pieces = [gzip.decompress(held[offset : offset + length]) for offset, length in made.index]
    assert b"".join(pieces) == source.read_bytes()
    assert [piece.count(b"\n") for piece in pieces] == [700] * 7 + [100]
    assert made.rows == 5_000


def test_a_limit_ends_the_bodies(tmp_path: Path) -> None:
    made = data.bodies(data.ndjson(tmp_path, SMALL), 1, gzipped=False, limit=9)
    assert (made.rows, len(made.index)) == (9, 9)


def test_duckdb_reads_what_is_sent(tmp_path: Path) -> None:
    source = data.ndjson(tmp_path, SMALL)
    assert references.duckdb_load(source, tmp_path) > 0
    ids = {row["id"] for table in SMALL.tables() for row in table.to_pylist()}
    assert data.distinct(source) == len(ids)
