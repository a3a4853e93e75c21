"""A detailed report of ten million playlogs, from the request to the finished file."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from deltalake import DeltaTable
from isal import igzip

from benchmarks import data, references
from benchmarks.harness import Aim, Place, Result
from benchmarks.machine import Watch
from benchmarks.server import SLUG, Caller, Home, Server

_BLOCK = 8 << 20


def report_file(place: Place) -> Result:
    rows = place.size(10_000_000, 100_000)
    playlogs = data.month(rows)
    source = data.ndjson(place.data, playlogs)
    home = place.home("report_file", query_seconds="3600s")
    begun = time.perf_counter()
    home.run("ingest", "playlogs", str(source), "--account", SLUG)
    loading = time.perf_counter() - begun
    begun = time.perf_counter()
    home.run("lake", "compact")
    compacting = time.perf_counter() - begun
    ours = _report(home, playlogs)
    seconds, lines, size = references.duckdb_copy(_files(home), SLUG, place.folder("report_file"))
    if lines != ours["lines"]:
        raise RuntimeError(f"the report has {ours['lines']} lines, DuckDB's file {lines}")
    ratio = seconds / ours["seconds"]
    return Result(
        name="report_file",
        title="a detailed 4YouSee report, gzip NDJSON, from the request until `success`",
        parameters={"rows": rows, "days": playlogs.days},
        figures={
            "seconds": ours["seconds"],
            "lines/s": lines / ours["seconds"],
            "file MB": ours["size"] / 1e6,
            "peak MB of the largest process": ours["process_peak"] / 1e6,
            "peak MB of all processes together": ours["peak"] / 1e6,
            "loading the rows with `airtally ingest`, s": loading,
            "compacting them, s": compacting,
        },
        reference={
            "DuckDB COPY of the same rows from its own table, unordered, s": seconds,
            "its file, MB": size / 1e6,
        },
        ratio=ratio,
        aims=[
            Aim("times DuckDB's speed", ratio, 5),
            Aim("peak memory of the largest process", ours["process_peak"] / 1e6, 700, "MB", at_most=True),
        ],
        notes=["ours is in the report's order (newest first); DuckDB's reference keeps no order, which favours it"],
    )


def _report(home: Home, playlogs: Any) -> dict[str, float]:
    wanted = {
        "startDate": str(playlogs.end_day - timedelta(days=playlogs.days - 1)),
        "endDate": str(playlogs.end_day),
        "sort": -1,
    }
    with Server(home) as server, Watch(server.pid) as watch, Caller(server) as caller:
        begun = time.perf_counter()
        _, report = caller.call("POST", "/v1/reports", {"type": "detailed", "filter": wanted})
        while report["status"] == "waiting":
            time.sleep(0.05)
            report = caller.call("GET", f"/v1/reports/{report['id']}")[1]
        seconds = time.perf_counter() - begun
        if report["status"] != "success":
            raise RuntimeError(f"the report ended as {report}")
        path = "/" + report["url"].split("/", 3)[3]
        body = caller.call("GET", path)[1]
    lines = _lines(home.folder.with_suffix(".gz"), body)
    return {
        "seconds": seconds,
        "lines": lines,
        "size": len(body),
        "peak": watch.peak,
        "process_peak": watch.process_peak,
    }


def _lines(kept: Path, body: bytes) -> int:
    kept.write_bytes(body)
    with igzip.open(kept) as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(_BLOCK), b""))


def _files(home: Home) -> list[str]:
    return list(DeltaTable(str(home.folder / "lake" / "playlogs")).file_uris())
