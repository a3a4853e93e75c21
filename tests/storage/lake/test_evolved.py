"""Columns of files of an earlier schema, read by DuckDB as today's declaration has them."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pytest

from airtally.storage.lake.evolved import written_as
from airtally.streams import PLAYLOGS
from airtally.streams.declaration import Column, Type
from airtally.streams.evolution import Renamed
from fixtures.declared import with_column

DECLARED = frozenset(PLAYLOGS.stored_schema.names) - {"day"}


def read(name: str, stored: frozenset[str] | None, **columns: list) -> list:
    with duckdb.connect() as connection:
        connection.register("files", pa.table(columns))
        found = connection.execute(f"SELECT {written_as(PLAYLOGS, name, stored)} FROM files")
        assert [each[0] for each in found.description] == [name]
        return [row[0] for row in found.fetchall()]


def test_a_declared_column_is_read_as_it_is():
    assert written_as(PLAYLOGS, "media_id", None) == '"media_id"'


def test_the_writer_is_read_by_the_name_that_the_file_has():
    earlier = DECLARED - {"writer_id"} | {"machine"}
    assert read("writer_id", earlier, machine=["w1"]) == ["w1"]
    assert read("writer_id", None, writer_id=["w2"]) == ["w2"]


def test_an_empty_id_that_earlier_releases_took_for_one_is_none():
    assert read("id", None, id=["", "a", None]) == [None, "a", None]


@pytest.mark.parametrize(("default", "value"), [(None, None), ("it's new", "it's new")])
def test_a_column_that_a_file_does_not_have_is_its_default(declare, default, value):
    declare(PLAYLOGS, **with_column(PLAYLOGS, Column("label", Type.TEXT, "", default=default)))
    assert read("label", DECLARED, media_id=[1]) == [value]


def test_a_narrower_type_reads_what_it_cannot_hold_as_null(declare):
    columns = tuple(
        Column("seconds", Type.INT64, "") if each.name == "duration_seconds" else each for each in PLAYLOGS.columns
    )
    declare(PLAYLOGS, columns=columns, steps=(Renamed("duration_seconds", "seconds", Type.DOUBLE),), version=2)
    assert read("seconds", DECLARED, duration_seconds=[15.0, 15.5, 1e300, None]) == [15, None, None, None]
