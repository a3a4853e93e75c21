from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from airtally.engine.bucket import _s3_options
from airtally.engine.protocol import Engine, FilesMissing
from airtally.sql.statement import Rows, Statement
from fixtures.engines import rows_of, tree
from fixtures.snapshots import HandMade


def test_files_on_a_bucket(duckdb_engine: Engine, source: HandMade) -> None:
    """A URL stands for the bucket: what is read through is the same for every scheme."""
    rows = rows_of(duckdb_engine, source)
    files = tuple(replace(file, path=f"file://{file.path}") for file in rows.files)
    snapshot = replace(rows.snapshot, table_url=f"file://{source._folder}")
    statement = Statement(
        tree("SELECT ad_group_id, account FROM r WHERE time >= CAST($t AS TIMESTAMPTZ)"),
        {"r": Rows(snapshot, files, rows.buffered)},
        {"t": "2026-10-01 00:00:00+00:00"},
    )
    assert duckdb_engine.query(statement).to_pylist() == [{"ad_group_id": "g", "account": "acme"}] * 3
    Path(rows.files[0].path).unlink()
    with pytest.raises(FilesMissing):
        duckdb_engine.query(statement)


def test_s3_is_reached_as_the_writer_reaches_it() -> None:
    assert _s3_options({}) == {}
    found = _s3_options({"AWS_DEFAULT_REGION": "eu-west-1", "AWS_ENDPOINT_URL": "http://127.0.0.1:9000"})
    assert found == {"region": "eu-west-1", "scheme": "http", "endpoint_override": "127.0.0.1:9000"}
