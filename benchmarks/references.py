"""What others need for the same work on the same machine: DuckDB and dlt."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Self

import duckdb

from benchmarks.data import COLUMNS
from benchmarks.server import ROOT

DLT_PYTHON = ROOT / ".venv-bench" / "bin" / "python"

_READ = "read_json(?, format='newline_delimited', columns={columns})"
_REPORT_LINES = """
    SELECT account, strftime(played_at, '%Y-%m-%d') AS date, strftime(played_at, '%H:%M:%S') AS time,
        player_id AS playerId, media_id AS mediaId, ip, type
    FROM plays
"""


def duckdb_load(source: Path, folder: Path) -> float:
    """Seconds that DuckDB takes to load an NDJSON file into a table of a database file."""
    with duckdb.connect(str(folder / "load.duckdb")) as connection:
        begun = time.perf_counter()
        read = _READ.format(columns=json.dumps(COLUMNS).replace('"', "'"))
        connection.execute(f"CREATE TABLE plays AS SELECT * FROM {read}", [str(source)])
        connection.execute("CHECKPOINT")
        return time.perf_counter() - begun


class ReportByDuckDB:
    """An account's playlogs in a table of DuckDB's own, and report lines written of it, in no order."""

    def __init__(self, parquet: list[str], account: str, folder: Path) -> None:
        self._target = folder / "report.json.gz"
        self._connection = duckdb.connect(str(folder / "copy.duckdb"))
        self._connection.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
        self._connection.execute(
            "CREATE TABLE plays AS SELECT * REPLACE (played_at::TIMESTAMP AS played_at) "
            "FROM read_parquet(?, hive_partitioning = true) WHERE account = ?",
            [parquet, account],
        )
        self._connection.execute("CHECKPOINT")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def write(self) -> tuple[int, int]:
        """Lines and bytes of the gzip file."""
        copy = f"COPY ({_REPORT_LINES}) TO '{self._target}' (FORMAT json, COMPRESSION gzip)"
        [(lines,)] = self._connection.execute(copy).fetchall()
        return int(lines), self._target.stat().st_size


def dlt_load(source: Path, folder: Path) -> tuple[float, int]:
    """Seconds and rows of a dlt program from an NDJSON file into DuckDB, its start included, in its own environment."""
    if not DLT_PYTHON.exists():
        raise RuntimeError("dlt is not installed; `make bench` does it, or `scripts/setup bench`")
    begun = time.perf_counter()
    done = subprocess.run(
        [DLT_PYTHON, ROOT / "benchmarks" / "dlt_load.py", source, folder],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    if done.returncode:
        raise RuntimeError(f"dlt failed: {done.stderr[-2000:]}")
    return time.perf_counter() - begun, int(json.loads(done.stdout.splitlines()[-1])["rows"])
