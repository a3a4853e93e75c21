"""Exports of ten million playlogs as Parquet and as CSV in gzip, beside DuckDB's COPY of the same rows."""

from __future__ import annotations

import time
from typing import Any

import duckdb
from deltalake import DeltaTable

from benchmarks import data
from benchmarks.harness import Aim, Place, Result
from benchmarks.machine import Watch
from benchmarks.server import SLUG, Caller, Home, Server

_COLUMNS = "player_id, played_at, id, media_id, type, ip, duration_seconds"
_COPY = {
    "parquet": "FORMAT parquet, COMPRESSION zstd",
    "csv.gz": "FORMAT csv, COMPRESSION gzip",
}
_ASKED: dict[str, dict[str, Any]] = {
    "parquet": {"format": "parquet"},
    "csv.gz": {"format": "csv", "compression": "gzip"},
}


def exports(place: Place) -> Result:
    rows = place.size(10_000_000, 100_000)
    playlogs = data.month(rows)
    home = place.home("exports")
    home.run("ingest", "playlogs", str(data.ndjson(place.data, playlogs)), "--account", SLUG)
    home.run("lake", "compact")
    parquet, gzipped = _copied(home, place, "parquet"), _copied(home, place, "csv.gz")
    with Server(home) as server, Watch(server.pid) as watch, Caller(server) as caller:
        exported = {form: _exported(caller, form) for form in _ASKED}
    for form, (_, export) in exported.items():
        if export["rows"] != parquet[1]:
            raise RuntimeError(f"the export as {form} has {export['rows']} rows, DuckDB's file {parquet[1]}")
    as_parquet, as_csv = exported["parquet"][0], exported["csv.gz"][0]
    return Result(
        name="exports",
        title="an export of a month's playlogs, from the request until `done`",
        parameters={"rows": rows, "days": playlogs.days},
        figures={
            "as Parquet, s": as_parquet,
            "Parquet, MB": exported["parquet"][1]["bytes"] / 1e6,
            "Parquet, parts": exported["parquet"][1]["parts"],
            "as CSV.gz, s": as_csv,
            "CSV.gz, MB": exported["csv.gz"][1]["bytes"] / 1e6,
            "CSV.gz, rows/s": rows / as_csv,
            "peak MB of the largest process": watch.process_peak / 1e6,
        },
        reference={
            "DuckDB COPY of the lake's files to Parquet (zstd), s": parquet[0],
            "DuckDB COPY of the lake's files to CSV.gz, s": gzipped[0],
        },
        ratio=as_parquet / parquet[0],
        aims=[
            Aim("as Parquet, times DuckDB's time", as_parquet / parquet[0], 1.2, at_most=True),
            Aim("as CSV.gz, times DuckDB's speed", gzipped[0] / as_csv, 3),
        ],
        notes=["ours counts each event once, writes parts with checksums and syncs them; DuckDB uses every core too"],
    )


def _exported(caller: Caller, form: str) -> tuple[float, dict[str, Any]]:
    begun = time.perf_counter()
    _, export = caller.call("POST", "/api/v1/exports", {"rows": {"stream": "playlogs"}, **_ASKED[form]})
    while export["state"] in {"queued", "running"}:
        time.sleep(0.05)
        export = caller.call("GET", f"/api/v1/exports/{export['id']}")[1]
    if export["state"] != "done":
        raise RuntimeError(f"the export ended as {export}")
    return time.perf_counter() - begun, export


def _copied(home: Home, place: Place, form: str) -> tuple[float, int]:
    """Seconds and rows of a file that DuckDB writes from the lake's files."""
    files = list(DeltaTable(str(home.folder / "lake" / "playlogs")).file_uris())
    target = place.folder("exports") / f"copy.{form}"
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        rows = f"SELECT {_COLUMNS} FROM read_parquet(?) WHERE account = ?"
        begun = time.perf_counter()
        found = connection.execute(f"COPY ({rows}) TO '{target}' ({_COPY[form]})", [files, SLUG]).fetchall()
        return time.perf_counter() - begun, int(found[0][0])
