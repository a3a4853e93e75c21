"""What a version of a rollup's table says of its files."""

from __future__ import annotations

import pytest

from airtally.rollups.claims import FileClaims
from airtally.rollups.table import MonthSegments, StoredFile, day_number, iso_day, zones_text
from airtally.storage.lake.snapshot import DataFile


def file(day: str | None, source_version: int, rows: int = 1, zones: str | None = None) -> StoredFile:
    data = DataFile("x.parquet", rows, 1, day, ids_all_null=True)
    return StoredFile("x.parquet", FileClaims(1, {"acme": rows}), "2026-11", day, source_version, 0, data, zones)


def test_a_day_file_hides_its_day_in_the_month_file():
    month = MonthSegments("acme", file(None, 3), {"2026-11-02": file("2026-11-02", 7, rows=0)})
    assert [month.source_version(f"2026-11-0{day}") for day in (1, 2, 3)] == [3, 7, 3]
    assert [month.is_empty(f"2026-11-0{day}") for day in (1, 2, 3)] == [False, True, False]


def test_without_files_there_is_no_segment():
    month = MonthSegments()
    assert (month.source_version("2026-11-01"), month.is_empty("2026-11-01"), list(month.files)) == (-1, True, [])


@pytest.mark.parametrize(
    ("zones", "text"),
    [
        (["UTC"] * 3, "UTC"),
        (["Asia/Kolkata"] * 3, "Asia/Kolkata"),
        (["UTC", "UTC", "Asia/Kolkata"], "UTC 2026-11-03=Asia/Kolkata"),
        (["UTC", "Asia/Kolkata", "UTC"], "UTC 2026-11-02=Asia/Kolkata 2026-11-03=UTC"),
    ],
)
def test_the_zones_of_days_are_read_as_they_were_written(zones, text):
    days = [f"2026-11-0{number}" for number in (1, 2, 3)]
    assert zones_text(dict(zip(days, zones, strict=True))) == text
    assert [file(None, 1, zones=text).zone(day) for day in days] == zones


def test_the_empty_text_is_before_all_days():
    assert (day_number(""), iso_day(0)) == (0, "")
    assert iso_day(day_number("2026-11-02")) == "2026-11-02"
