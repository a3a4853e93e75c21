"""Narrow columns of a segment's Parquet file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airtally.kit.time import DAY_US, MINUTE_US
from airtally.rollups.maps import narrow
from airtally.rollups.maps.columns import narrowest
from airtally.rollups.maps.file import read_map, write_map
from airtally.rollups.maps.narrow import NotMappable, narrow_columns
from airtally.rollups.table import segment_schema
from airtally.streams.rollup import QUARTER_US, Function, Measure, Rollup

ROLLUP = Rollup("r", QUARTER_US, ("a", "b"), (Measure("n"), Measure("low", Function.MIN, "x")))
ROWS = [
    {"a": "é", "b": None, "time": 0, "n": 1, "low": -(1 << 63)},
    {"a": "a", "b": "z", "time": QUARTER_US, "n": 300, "low": 0},
    {"a": "a", "b": "y", "time": 3 * QUARTER_US, "n": 2, "low": (1 << 63) - 1},
    {"a": "\U0001f600", "b": "", "time": 0, "n": 3, "low": 5},
]


def written(path: Path, rows: list[dict[str, object]], **more: pa.DataType) -> Path:
    fields = [*segment_schema(ROLLUP), *(pa.field(name, kind) for name, kind in more.items())]
    pq.write_table(pa.Table.from_pylist(rows, pa.schema(fields)), path, row_group_size=2)
    return path


def rows_of(columns, account: str) -> list[dict[str, object]]:
    first, until = columns.accounts[account]
    time = columns.time
    return [
        {name: each.texts[each.codes[row]] for name, each in columns.dimensions.items()}
        | {"time": time.first_us + int(time.codes[row]) * time.unit_us}
        | {name: int(each.figures[row]) for name, each in columns.measures.items()}
        for row in range(first, until)
    ]


def by_bytes(row: dict[str, object]) -> tuple[object, ...]:
    return str(row["a"]).encode(), row["b"] is None, str(row["b"]).encode(), row["time"]


def test_rows_come_in_the_order_of_their_texts_and_time_and_survive_the_file(tmp_path):
    columns = narrow_columns(written(tmp_path / "s.parquet", ROWS), ROLLUP, "acme")
    write_map(tmp_path / "s.arrow", columns)
    for each in (columns, read_map(tmp_path / "s.arrow")):
        assert rows_of(each, "acme") == sorted(ROWS, key=by_bytes)
        assert [each.measures["n"].least, each.measures["n"].most] == [1, 300]
        assert each.measures["low"].furthest == 1 << 63
    assert columns.dimensions["a"].codes.dtype == np.uint8
    assert (columns.time.codes.dtype, columns.time.unit_us) == (np.uint8, QUARTER_US)


def test_several_accounts_share_a_file(tmp_path):
    rows = [row | {"account": account} for row in ROWS for account in ("b", "a")]
    columns = narrow_columns(written(tmp_path / "s.parquet", rows, account=pa.string()), ROLLUP, "acme")
    assert list(columns.accounts) == ["a", "b"]
    for account in ("a", "b"):
        assert rows_of(columns, account) == sorted(ROWS, key=by_bytes)


def test_cells_that_begin_beside_the_grain_have_a_finer_unit(tmp_path):
    local = Rollup("d", DAY_US, ("a", "b"), ROLLUP.measures, local=True)
    rows = [ROWS[1] | {"time": at} for at in (0, DAY_US + 345 * MINUTE_US, 2 * DAY_US)]
    columns = narrow_columns(written(tmp_path / "s.parquet", rows), local, "acme")
    assert columns.time.unit_us == MINUTE_US
    assert [row["time"] for row in rows_of(columns, "acme")] == [row["time"] for row in rows]


def test_a_measure_without_a_figure_is_left_to_the_engine(tmp_path):
    with pytest.raises(NotMappable):
        narrow_columns(written(tmp_path / "s.parquet", [ROWS[0] | {"low": None}]), ROLLUP, "acme")


def test_a_dimension_of_too_many_texts_is_left_to_the_engine(tmp_path, monkeypatch):
    path = written(tmp_path / "s.parquet", ROWS)
    monkeypatch.setattr(narrow, "MOST_TEXTS", 3)
    narrow_columns(path, ROLLUP, "acme")
    monkeypatch.setattr(narrow, "MOST_TEXTS", 2)
    with pytest.raises(NotMappable):
        narrow_columns(path, ROLLUP, "acme")


@pytest.mark.parametrize(
    ("least", "most", "signed", "kind"),
    [
        (0, 255, False, np.uint8),
        (0, 256, False, np.uint16),
        (-128, 127, True, np.int8),
        (-129, 0, True, np.int16),
        (-(1 << 63), (1 << 63) - 1, True, np.int64),
    ],
)
def test_the_narrowest_type_that_holds_both(least, most, signed, kind):
    assert narrowest(least, most, signed=signed) is kind


def test_no_type_is_wider_than_64_bits():
    with pytest.raises(OverflowError):
        narrowest(0, 1 << 63, signed=True)
