"""Times are the same text in CSV and in NDJSON."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from airtally.query.row_texts import csv_text, ndjson_text

_TIMES = (
    datetime(2026, 11, 27, 23, 59, 59, tzinfo=UTC),
    datetime(2026, 11, 27, 0, 0, 0, 120, tzinfo=UTC),
    datetime(2026, 7, 1, 10, 30, 0, 500_000, tzinfo=UTC),
    datetime(1, 1, 2, tzinfo=UTC),
    None,
)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/Sao_Paulo", None])
def test_times_are_as_in_json(zone: str | None) -> None:
    times = pa.array(_TIMES[:3] if zone not in {"UTC", None} else _TIMES, pa.timestamp("us", "UTC"))
    table = pa.table({"at": times.cast(pa.timestamp("us", zone)), "n": list(range(len(times)))})
    rows = csv.reader(csv_text(table).decode().splitlines()[1:])
    shown = [json.loads(line)["at"] for line in ndjson_text(table).splitlines()]
    assert [at or None for at, _ in rows] == shown


@pytest.mark.parametrize(
    ("unit", "number", "text"),
    [
        ("s", 1, "1970-01-01T00:00:01"),
        ("ns", 1, "1970-01-01T00:00:00.000000001"),
        ("ms", 10, "1970-01-01T00:00:00.010"),
    ],
)
def test_times_of_other_units(unit: str, number: int, text: str) -> None:
    assert csv_text(pa.table({"at": pa.array([number], pa.timestamp(unit))})).decode() == f'"at"\n"{text}"\n'


def test_a_day_stays_a_day_and_no_time_stays_a_header() -> None:
    assert csv_text(pa.table({"day": pa.array([0], pa.date32())})) == b'"day"\n1970-01-01\n'
    assert csv_text(pa.table({"at": pa.array([], pa.timestamp("us", "UTC"))})) == b'"at"\n'
