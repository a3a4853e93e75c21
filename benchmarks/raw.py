"""The reference of the vendors' questions: DuckDB on the lake's raw Parquet files, with SQL written by hand."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import duckdb
import pyarrow as pa
from deltalake import DeltaTable

from benchmarks.server import SLUG, Home

#: Of the raw rows with one id on one day, the last received.
ONCE = """
    SELECT * FROM {rows} WHERE id IS NULL UNION ALL SELECT * FROM (
        SELECT * FROM {rows} WHERE id IS NOT NULL
        QUALIFY row_number() OVER (PARTITION BY id, day ORDER BY received_at DESC, writer_id DESC, sequence DESC) = 1)
"""


class Raw:
    """One stream's files; an open DuckDB on as many threads as there are cores."""

    def __init__(self, home: Home, stream: str) -> None:
        self._table = str(home.folder / "lake" / stream)
        self._files = DeltaTable(self._table).file_uris()
        self._connection = duckdb.connect()
        self._connection.execute("SET TimeZone = 'UTC'")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def files(self, start: datetime, end: datetime) -> list[str]:
        """The files of the days of a time, so that DuckDB opens no other."""
        last = (end - timedelta(microseconds=1)).date()
        days = {str(start.date() + timedelta(days=n)) for n in range((last - start.date()).days + 1)}
        return [file for file in self._files if _day(file) in days]

    def ask(self, sql: str, files: list[str], parameters: dict[str, Any]) -> tuple[float, pa.Table]:
        """Seconds and answer of a question whose `{rows}` are the account's rows in the files."""
        rows = f"(SELECT * FROM read_parquet($files, hive_partitioning = true) WHERE account = '{SLUG}')"
        begun = time.perf_counter()
        found = self._connection.execute(sql.format(rows=rows), parameters | {"files": files}).to_arrow_table()
        return time.perf_counter() - begun, found


def _day(file: str) -> str:
    return next(part.removeprefix("day=") for part in Path(file).parts if part.startswith("day="))


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def percentile(times: list[float], share: float) -> float:
    """In milliseconds, from seconds."""
    ordered = sorted(times)
    return 1000 * ordered[min(len(ordered) - 1, int(len(ordered) * share))]
