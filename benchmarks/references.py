"""What others need for the same work on the same machine: DuckDB and dlt."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

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


def duckdb_copy(parquet: list[str], account: str, folder: Path) -> tuple[float, int, int]:
    """Seconds, lines and bytes of a gzip file of report lines written by DuckDB alone, in no order.

    The rows are in a table of its own before the clock starts.
    """
    target = folder / "report.json.gz"
    with duckdb.connect(str(folder / "copy.duckdb")) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(
            "CREATE TABLE plays AS SELECT * REPLACE (played_at::TIMESTAMP AS played_at) "
            "FROM read_parquet(?, hive_partitioning = true) WHERE account = ?",
            [parquet, account],
        )
        connection.execute("CHECKPOINT")
        begun = time.perf_counter()
        lines = connection.execute(f"COPY ({_REPORT_LINES}) TO '{target}' (FORMAT json, COMPRESSION gzip)").fetchall()[
            0
        ][0]
        return time.perf_counter() - begun, int(lines), target.stat().st_size


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
