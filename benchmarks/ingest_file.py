"""The same file with `airtally ingest` and with dlt."""

from __future__ import annotations

import time

from benchmarks import data, references
from benchmarks.harness import Aim, Place, Result
from benchmarks.machine import children_seconds
from benchmarks.server import SLUG


def ingest_file(place: Place) -> Result:
    rows = place.size(2_000_000, 50_000)
    source = data.ndjson(place.data, data.month(rows))
    dlt_seconds, dlt_rows = references.dlt_load(source, place.folder("dlt"))
    duckdb_speed = rows / references.duckdb_load(source, place.folder("ingest_file"))
    home = place.home("ingest_file")
    begun, used = time.perf_counter(), children_seconds()
    home.run("ingest", "playlogs", str(source), "--account", SLUG)
    speed, used = rows / (time.perf_counter() - begun), children_seconds() - used
    return Result(
        name="ingest_file",
        title="a file of NDJSON with `airtally ingest`, start of the program included",
        parameters={"rows": rows, "days": 30},
        figures={"rows/s": speed, "CPU s": used},
        reference={
            "dlt into DuckDB, rows/s": dlt_rows / dlt_seconds,
            "DuckDB loading the same NDJSON file, rows/s": duckdb_speed,
        },
        ratio=speed / (dlt_rows / dlt_seconds),
        aims=[Aim("times dlt", speed / (dlt_rows / dlt_seconds), 10)],
    )
