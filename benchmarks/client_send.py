"""The Python client sending rows from dicts, next to the server's own figure for batches of 10,000 rows."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from airtally import Client
from benchmarks import data
from benchmarks.harness import Aim, Place, Result
from benchmarks.ingest_http import CONNECTIONS, FLUSH_ROWS
from benchmarks.machine import cpu_seconds
from benchmarks.questions import count
from benchmarks.server import Caller, Home, Server


def client_send(place: Place) -> Result:
    rows = place.size(1_000_000, 30_000)
    source = data.ndjson(place.data, data.recent(rows))
    settings = {"flush_rows": str(FLUSH_ROWS)}
    reference = _loaded(place.home("client_send_reference", **settings), source, rows)
    read = [json.loads(line) for line in source.read_bytes().splitlines()]
    speed, client_seconds, server_seconds = _sent(place.home("client_send", **settings), source, read)
    return Result(
        name="client_send",
        title="rows from Python dicts with the client, in its default batches",
        parameters={"rows": rows, "flush_rows": FLUSH_ROWS},
        figures={"rows/s": speed, "client CPU s": client_seconds, "server CPU s": server_seconds},
        reference={f"gzip NDJSON batches of 10,000, {CONNECTIONS} connections, made before, rows/s": reference},
        ratio=speed / reference,
        aims=[Aim("share of the server's figure", speed / reference, 0.5)],
        notes=["each play counted once after the run; encoding the dicts is part of the time"],
    )


def _loaded(home: Home, source: Path, rows: int) -> float:
    with Server(home) as server:
        load = server.load(data.bodies(source, 10_000, gzipped=True), connections=CONNECTIONS)
    if load.accepted_rows != rows:
        raise RuntimeError(f"{load.accepted_rows} of {rows} rows accepted")
    return rows / load.seconds


def _sent(home: Home, source: Path, rows: list[dict[str, Any]]) -> tuple[float, float, float]:
    """Rows a second, and seconds of processor time of client and server."""
    with Server(home) as server, Client(f"http://127.0.0.1:{server.port}", home.token) as client:
        begun, used = time.perf_counter(), time.process_time()
        result = client.send("playlogs", rows)
        seconds, used = time.perf_counter() - begun, time.process_time() - used
        of_server = cpu_seconds(server.pid)
        with Caller(server) as caller:
            found = count(caller, 3)
    expected = data.distinct(source)
    if (result.accepted, found) != (len(rows), expected):
        raise RuntimeError(f"{result.accepted} of {len(rows)} rows accepted, {found} of {expected} plays counted")
    return len(rows) / seconds, used, of_server
