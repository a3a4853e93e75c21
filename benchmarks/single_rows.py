"""Requests of one row each."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from benchmarks import data
from benchmarks.harness import Aim, Place, Result
from benchmarks.machine import Watch
from benchmarks.questions import count
from benchmarks.server import Caller, Server

CONNECTIONS = 64


def single_rows(place: Place) -> Result:
    requests = place.size(60_000, 2_000)
    source = data.ndjson(place.data, data.recent(place.size(200_000, 20_000)))
    bodies = data.bodies(source, 1, gzipped=False, limit=requests)
    commits = _commits_a_second(place.folder("single_rows"))
    with Server(place.home("single_rows")) as server, Watch(server.pid) as watch:
        load = server.load(bodies, connections=CONNECTIONS)
        with Caller(server) as caller:
            visible = count(caller, 3)
    if load.accepted_rows != requests:
        raise RuntimeError(f"{load.accepted_rows} of {requests} rows accepted: {load.statuses}")
    speed = load.requests / load.seconds
    return Result(
        name="single_rows",
        title=f"requests of a single row, {CONNECTIONS} connections, each on disk before its answer",
        parameters={"requests": requests, "connections": CONNECTIONS},
        figures={
            "requests/s": speed,
            "answer p50 ms": load.p50 * 1000,
            "answer p95 ms": load.p95 * 1000,
            "answer p99 ms": load.p99 * 1000,
            "slowest answer ms": load.slowest * 1000,
            "client CPU s": load.cpu_seconds,
            "server peak MB": watch.peak / 1e6,
            "plays counted after": visible,
        },
        reference={"SQLite alone, one row a commit with fsync, commits/s": commits},
        ratio=speed / commits,
        aims=[
            Aim("requests/s", speed, 1_800),
            Aim("p99", load.p99 * 1000, 40, "ms", at_most=True),
        ],
    )


def _commits_a_second(folder: Path, commits: int = 500) -> float:
    with closing(sqlite3.connect(folder / "one.sqlite", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE rows (body BLOB)")
        begun = time.perf_counter()
        for _ in range(commits):
            connection.execute("INSERT INTO rows VALUES (?)", (b"x" * 140,))
        return commits / (time.perf_counter() - begun)
