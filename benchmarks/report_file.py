"""A detailed report of ten million playlogs, from the request to the finished file."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any

from deltalake import DeltaTable
from isal import igzip

from benchmarks import data, references
from benchmarks.harness import Aim, Place, Result
from benchmarks.machine import Watch, cpu_seconds
from benchmarks.server import SLUG, Caller, Home, Server

_BLOCK = 8 << 20


def report_file(place: Place) -> Result:
    rows, rounds = place.size(10_000_000, 100_000), place.size(3, 1)
    playlogs = data.month(rows)
    home = place.home("report_file", query_seconds="3600s")
    loading = home.timed("ingest", "playlogs", str(data.ndjson(place.data, playlogs)), "--account", SLUG)
    compacting = home.timed("lake", "compact")
    with (
        references.ReportByDuckDB(_files(home), SLUG, place.folder("report_file")) as reference,
        Server(home) as server,
        Watch(server.pid) as watch,
    ):
        turns = [(_ours(server, playlogs), _theirs(reference)) for _ in range(rounds)]
    ours, theirs = zip(*turns, strict=True)
    for one, other in turns:
        if one.lines != other.lines:
            raise RuntimeError(f"the report has {one.lines} lines, DuckDB's file {other.lines}")
    ratio = median(other.seconds / one.seconds for one, other in turns)
    return Result(
        name="report_file",
        title="a detailed 4YouSee report, gzip NDJSON, from the request until `success`, in turn with DuckDB's COPY",
        parameters={"rows": rows, "days": playlogs.days, "rounds": rounds},
        figures={
            "seconds": median(each.seconds for each in ours),
            "CPU s": median(each.cpu for each in ours),
            "lines/s": ours[0].lines / median(each.seconds for each in ours),
            "the first, which starts the process for heavy work, s": ours[0].seconds,
            "file MB": ours[0].size / 1e6,
            "peak MB of the largest process": watch.process_peak / 1e6,
            "peak MB of all processes together": watch.peak / 1e6,
            "loading the rows with `airtally ingest`, s": loading,
            "compacting them, s": compacting,
        },
        reference={
            "DuckDB COPY of the same rows from its own table, unordered, s": median(each.seconds for each in theirs),
            "its CPU s": median(each.cpu for each in theirs),
            "its file, MB": theirs[0].size / 1e6,
        },
        ratio=ratio,
        aims=[
            Aim("times DuckDB's speed", ratio, 4.2),
            Aim("peak memory of the largest process", watch.process_peak / 1e6, 700, "MB", at_most=True),
        ],
        notes=[
            "medians of the rounds, and of their ratios",
            "ours is in the report's order (newest first); DuckDB's reference keeps no order, which favours it",
        ],
    )


@dataclass(frozen=True)
class _Made:
    """One file: what it cost, and what it has."""

    seconds: float
    cpu: float
    lines: int
    size: int


def _theirs(reference: references.ReportByDuckDB) -> _Made:
    before, begun = time.process_time(), time.perf_counter()
    lines, size = reference.write()
    return _Made(time.perf_counter() - begun, time.process_time() - before, lines, size)


def _ours(server: Server, playlogs: Any) -> _Made:
    wanted = {
        "startDate": str(playlogs.end_day - timedelta(days=playlogs.days - 1)),
        "endDate": str(playlogs.end_day),
        "sort": -1,
    }
    with Caller(server) as caller:
        before, begun = cpu_seconds(server.pid), time.perf_counter()
        _, report = caller.call("POST", "/v1/reports", {"type": "detailed", "filter": wanted})
        while report["status"] == "waiting":
            time.sleep(0.05)
            report = caller.call("GET", f"/v1/reports/{report['id']}")[1]
        seconds, cpu = time.perf_counter() - begun, cpu_seconds(server.pid) - before
        if report["status"] != "success":
            raise RuntimeError(f"the report ended as {report}")
        body = caller.call("GET", "/" + report["url"].split("/", 3)[3])[1]
    return _Made(seconds, cpu, _lines(server.home.folder.with_suffix(".gz"), body), len(body))


def _lines(kept: Path, body: bytes) -> int:
    kept.write_bytes(body)
    with igzip.open(kept) as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(_BLOCK), b""))


def _files(home: Home) -> list[str]:
    return list(DeltaTable(str(home.folder / "lake" / "playlogs")).file_uris())
