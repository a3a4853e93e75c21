"""Intervals of time as texts: the same as the engine's own, read back by it."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airtally.query.durations import duration_text, has_durations, with_duration_texts
from airtally.query.row_texts import as_plain, ndjson_text


@pytest.mark.parametrize(
    ("months", "days", "micros", "text"),
    [
        (0, 0, 0, "PT0S"),
        (14, 3, 14_706_500_000, "P1Y2M3DT4H5M6.5S"),
        (0, 1, 0, "P1D"),
        (-13, 0, -1, "P-1Y-1MT-0.000001S"),
        (0, -2, 90_000_000, "P-2DT1M30S"),
        (0, 0, 100 * 3_600_000_000, "PT100H"),
    ],
)
def test_texts(months, days, micros, text):
    assert duration_text(months, days, micros) == text


@given(st.integers(-(10**5), 10**5), st.integers(-(10**5), 10**5), st.integers(-(10**15), 10**15))
def test_numbers_add_up_to_what_they_were_made_of(months, days, micros):
    text = duration_text(months, days, micros)
    date, _, time = text[1:].partition("T")
    assert added(date, {"Y": 12, "M": 1}) == months
    assert added(date, {"D": 1}) == days
    assert added(time, {"H": 3_600_000_000, "M": 60_000_000, "S": 1_000_000}) == micros


def added(text, units):
    total, number = 0, ""
    for letter in text:
        if not letter.isalpha():
            number += letter
            continue
        whole, _, fraction = number.partition(".")
        micros = int(fraction.ljust(6, "0")) * (-1 if number.startswith("-") else 1) if fraction else 0
        total += int(whole) * units.get(letter, 0) + micros
        number = ""
    return total


def test_columns_lists_and_nulls_of_the_engine():
    with duckdb.connect() as connection:
        table = connection.execute(
            "SELECT INTERVAL '1 month 2 hours' AS a, [INTERVAL 90 SECOND, NULL] AS b, NULL::INTERVAL AS c, [1] AS d"
        ).to_arrow_table()
    assert [has_durations(each.type) for each in table.schema] == [True, True, True, False]
    assert ndjson_text(as_plain(table)) == b'{"a":"P1MT2H","b":["PT1M30S",null],"c":null,"d":[1]}\n'


def test_structures_and_differences_of_times():
    values = pa.chunked_array(
        [pa.array([{"x": 1_500_000, "y": 1}, None], pa.struct({"x": pa.duration("us"), "y": pa.int8()}))]
    )
    assert with_duration_texts(values).to_pylist() == [{"x": "PT1.5S", "y": 1}, None]
