"""Exports of ten million playlogs as Parquet and as CSV in gzip, in turn with DuckDB's COPY of the same rows."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import duckdb
from deltalake import DeltaTable

from benchmarks import data
from benchmarks.harness import Aim, Place, Result
from benchmarks.machine import Watch, cpu_seconds
from benchmarks.native import Compared, Cost
from benchmarks.raw import percentile
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


@dataclass
class _Turns:
    """What both cost in each round, and the last export."""

    ours: Cost = field(default_factory=Cost)
    theirs: Cost = field(default_factory=Cost)
    export: dict[str, Any] = field(default_factory=dict)

    @property
    def compared(self) -> Compared:
        return Compared(self.ours, self.theirs)

    @property
    def ratio(self) -> float:
        """The median of the rounds' ratios."""
        return self.compared.ratio


def exports(place: Place) -> Result:
    rows = place.size(10_000_000, 100_000)
    playlogs = data.month(rows)
    home = place.home("exports")
    home.run("ingest", "playlogs", str(data.ndjson(place.data, playlogs)), "--account", SLUG)
    home.run("lake", "compact")
    rounds = place.size(3, 1)
    with Server(home) as server, Watch(server.pid) as watch:
        parquet, gzipped = (_in_turn(server, place, form, rounds) for form in _ASKED)
    return Result(
        name="exports",
        title="an export of a month's playlogs, from the request until `done`, in turn with DuckDB",
        parameters={"rows": rows, "days": playlogs.days, "rounds": rounds},
        figures={
            "as Parquet, the first, s": parquet.ours.seconds[0],
            **_figures(parquet.ours, "as Parquet"),
            "Parquet, MB": parquet.export["bytes"] / 1e6,
            "Parquet, parts": parquet.export["parts"],
            **_figures(gzipped.ours, "as CSV.gz"),
            "CSV.gz, MB": gzipped.export["bytes"] / 1e6,
            "CSV.gz, rows/s": rows / _median(gzipped.ours),
            "peak MB of the largest process": watch.process_peak / 1e6,
        },
        reference={
            **_figures(parquet.theirs, "DuckDB COPY of the lake's files to Parquet (zstd)"),
            **_figures(gzipped.theirs, "DuckDB COPY of the lake's files to CSV.gz"),
        },
        ratio=parquet.ratio,
        aims=[
            Aim("as Parquet, times DuckDB's time", parquet.ratio, 1.2, at_most=True),
            Aim("as CSV.gz, times DuckDB's speed", 1 / gzipped.ratio, 3),
        ],
        notes=[
            "medians of the rounds, and of their ratios; the first export has the start of the process for heavy work in it",
            "ours counts each event once, writes parts with checksums and syncs them; DuckDB uses every core too",
        ],
    )


def _in_turn(server: Server, place: Place, form: str, rounds: int) -> _Turns:
    """Raises RuntimeError where the export has not as many rows as DuckDB's file."""
    turns = _Turns()
    for _ in range(rounds):
        turns.export = _exported(server, form, turns.ours)
        found = _copied(server.home, place, form, turns.theirs)
        if turns.export["rows"] != found:
            raise RuntimeError(f"the export as {form} has {turns.export['rows']} rows, DuckDB's file {found}")
    return turns


def _exported(server: Server, form: str, cost: Cost) -> dict[str, Any]:
    before, begun = cpu_seconds(server.pid), time.perf_counter()
    with Caller(server) as caller:
        _, export = caller.call("POST", "/api/v1/exports", {"rows": {"stream": "playlogs"}, **_ASKED[form]})
        while export["state"] in {"queued", "running"}:
            time.sleep(0.05)
            export = caller.call("GET", f"/api/v1/exports/{export['id']}")[1]
    if export["state"] != "done":
        raise RuntimeError(f"the export ended as {export}")
    cost.seconds.append(time.perf_counter() - begun)
    cost.cpu += cpu_seconds(server.pid) - before
    return dict(export)


def _copied(home: Home, place: Place, form: str, cost: Cost) -> int:
    """The rows of a file that DuckDB writes from the lake's files."""
    files = list(DeltaTable(str(home.folder / "lake" / "playlogs")).file_uris())
    target = place.folder("exports") / f"copy.{form}"
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
        rows = f"SELECT {_COLUMNS} FROM read_parquet(?) WHERE account = ?"
        before, begun = time.process_time(), time.perf_counter()
        found = connection.execute(f"COPY ({rows}) TO '{target}' ({_COPY[form]})", [files, SLUG]).fetchall()
        cost.seconds.append(time.perf_counter() - begun)
        cost.cpu += time.process_time() - before
        return int(found[0][0])


def _figures(cost: Cost, what: str) -> dict[str, float]:
    return {f"{what}, s": _median(cost), f"{what}, CPU s": cost.cpu / len(cost.seconds)}


def _median(cost: Cost) -> float:
    return percentile(cost.seconds, 0.5) / 1000
