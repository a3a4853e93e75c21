"""Rows a second over HTTP: gzip NDJSON batches of 10,000 and of 500 rows, acknowledged when on disk."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from benchmarks import data, references
from benchmarks.harness import Aim, Place, Result
from benchmarks.machine import Watch, cpu_seconds
from benchmarks.questions import count
from benchmarks.server import Bodies, Caller, Server

CONNECTIONS = 8
#: Smaller than the default, so that a run of seconds has many flushes and files enough to compact.
FLUSH_ROWS = 150_000
_READ = re.compile(r'^airtally_bodies_read_total\{way="(\w+)"\} (\S+)$', re.MULTILINE)


@dataclass(frozen=True)
class Commits:
    """What the table's log says was done while a benchmark ran."""

    appends: int
    compactions: int

    @classmethod
    def of(cls, lake: Path, stream: str = "playlogs") -> Commits:
        kinds = [_kind(file) for file in sorted((lake / stream / "_delta_log").glob("*.json"))]
        return cls(kinds.count("append"), kinds.count("rewrite"))


def _kind(commit: Path) -> str:
    actions = [json.loads(line) for line in commit.read_text(encoding="utf-8").splitlines()]
    if any("remove" in action for action in actions):
        return "rewrite"
    return "append" if any("add" in action for action in actions) else "other"


def bodies_read(caller: Caller) -> dict[str, float]:
    """How many bodies the server read in each way, by its `/metrics`."""
    _, shown = caller.call("GET", "/metrics")
    return {way: float(count) for way, count in _READ.findall(bytes(shown).decode())}


def large_batches(place: Place) -> Result:
    result = _batches(place, "ingest_batches_10k", 10_000, place.size(6_000_000, 100_000))
    result.aims = [
        Aim("share of DuckDB's own loading speed", result.ratio or 0, 0.27),
        Aim("server's peak memory", result.figures["server peak MB"], 600, "MB", at_most=True),
        Aim("rows/s", result.figures["rows/s"], 300_000),
    ]
    return result


def small_batches(place: Place) -> Result:
    result = _batches(place, "ingest_batches_500", 500, place.size(3_000_000, 50_000))
    result.aims = [Aim("rows/s", result.figures["rows/s"], 180_000)]
    return result


@dataclass(frozen=True)
class WorkersRun:
    """One load on a server with so many workers: rows a second, and what it cost."""

    rate: float
    server_cpu: float
    client_cpu: float
    peak: int


def two_workers(place: Place) -> Result:
    """The same batches with one worker and with two, in turn."""
    rows, rounds = place.size(4_000_000, 100_000), 1 if place.small else 2
    source = data.ndjson(place.data, data.recent(rows))
    bodies = data.bodies(source, 10_000, gzipped=True)
    runs = [(_with_workers(place, 1, source, bodies), _with_workers(place, 2, source, bodies)) for _ in range(rounds)]
    one, two = (max((pair[place_of] for pair in runs), key=lambda run: run.rate) for place_of in (0, 1))
    ratio = two.rate / one.rate
    return Result(
        name="ingest_workers",
        title=f"rows over HTTP in gzip NDJSON batches of 10,000, {CONNECTIONS} connections, --workers 2",
        parameters={"rows": rows, "batch_rows": 10_000, "connections": CONNECTIONS, "flush_rows": FLUSH_ROWS},
        figures={
            "rows/s": two.rate,
            "server CPU s": two.server_cpu,
            "client CPU s": two.client_cpu,
            "server peak MB": two.peak / 1e6,
        },
        reference={
            "one worker, rows/s": one.rate,
            "one worker, server CPU s": one.server_cpu,
            "one worker, client CPU s": one.client_cpu,
            "one worker, server peak MB": one.peak / 1e6,
        },
        ratio=ratio,
        aims=[Aim("rows/s with two workers over one, with a core for each and for the client", ratio, 1.5)],
        notes=["client and workers share the machine's cores; the best of each of the runs, which take turns"],
    )


def _with_workers(place: Place, workers: int, source: Path, bodies: Bodies) -> WorkersRun:
    home = place.home(f"ingest_workers_{workers}", flush_rows=str(FLUSH_ROWS))
    with Server(home, workers=workers) as server, Watch(server.pid) as watch:
        before = cpu_seconds(server.pid)
        load = server.load(bodies, connections=CONNECTIONS)
        used = cpu_seconds(server.pid) - before
        with Caller(server) as caller:
            found = count(caller, 3)
    expected = data.distinct(source)
    if (load.accepted_rows, found) != (bodies.rows, expected):
        raise RuntimeError(f"{load.accepted_rows} of {bodies.rows} rows accepted, {found} of {expected} plays counted")
    return WorkersRun(bodies.rows / load.seconds, used, load.cpu_seconds, watch.peak)


def _batches(place: Place, name: str, rows_each: int, rows: int) -> Result:
    source = data.ndjson(place.data, data.recent(rows))
    bodies = data.bodies(source, rows_each, gzipped=True)
    reference = rows / references.duckdb_load(source, place.folder(name))
    home = place.home(name, flush_rows=str(FLUSH_ROWS))
    with Server(home) as server, Watch(server.pid) as watch:
        started = cpu_seconds(server.pid)
        load = server.load(bodies, connections=CONNECTIONS)
        used = cpu_seconds(server.pid)
        with Caller(server) as caller:
            found = count(caller, 3)
            read = bodies_read(caller)
    commits = Commits.of(home.folder / "lake")
    expected = data.distinct(source)
    if (load.accepted_rows, found) != (rows, expected):
        raise RuntimeError(f"{load.accepted_rows} of {rows} rows accepted, {found} of {expected} plays counted")
    return Result(
        name=name,
        title=f"rows over HTTP in gzip NDJSON batches of {rows_each:,}, {CONNECTIONS} connections",
        parameters={"rows": rows, "batch_rows": rows_each, "connections": CONNECTIONS, "flush_rows": FLUSH_ROWS},
        figures={
            "rows/s": rows / load.seconds,
            "requests/s": load.requests / load.seconds,
            "answer p50 ms": load.p50 * 1000,
            "answer p99 ms": load.p99 * 1000,
            "client CPU s": load.cpu_seconds,
            "server CPU s": used,
            "server CPU µs a row, without its start": (used - started) / rows * 1e6,
            "bodies read as columns": read.get("columns", 0.0),
            "bodies read row by row, in part or wholly": read.get("rows", 0.0) + read.get("both", 0.0),
            "server peak MB": watch.peak / 1e6,
            "flush commits": commits.appends,
            "compaction commits": commits.compactions,
        },
        reference={"DuckDB loading the same NDJSON file, rows/s": reference},
        ratio=rows / load.seconds / reference,
        notes=["each play counted once after the run, repeats of retried uploads included in the rows sent"],
    )
