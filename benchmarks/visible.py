"""From the acknowledgement of a row to a query that counts it, while other rows come in."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime

from benchmarks import data
from benchmarks.harness import Aim, Place, Result
from benchmarks.questions import count
from benchmarks.server import Caller, Server

BATCH_ROWS = 500
BATCHES_A_SECOND = 40


def visible(place: Place) -> Result:
    tries, rows = place.size(300, 20), place.size(2_000_000, 50_000)
    source = data.ndjson(place.data, data.recent(rows))
    bodies = data.bodies(source, BATCH_ROWS, gzipped=True)
    with Server(place.home("visible", flush_rows="250000")) as server:
        behind = server.start_load(bodies, connections=4, rate=BATCHES_A_SECOND)
        try:
            with Caller(server) as caller:
                waits, first_sight = _waits(caller, tries)
        finally:
            running = behind.poll() is None
            behind.kill()
            behind.communicate()
    waits.sort()
    p95 = waits[int(len(waits) * 0.95)]
    return Result(
        name="visible",
        title="from a row's acknowledgement to the answer of a query that counts it",
        parameters={"tries": tries, "rows_a_second_beside": BATCH_ROWS * BATCHES_A_SECOND},
        figures={
            "p50 ms": waits[len(waits) // 2] * 1000,
            "p95 ms": p95 * 1000,
            "slowest ms": waits[-1] * 1000,
            "counted by the first query, %": 100 * first_sight / tries,
            "load beside it ran to the end of the tries": float(running),
        },
        aims=[Aim("p95", p95, 1, "s", at_most=True)],
        notes=["the time includes the query itself; a query begins when the acknowledgement has been read"],
    )


def _waits(caller: Caller, tries: int) -> tuple[list[float], int]:
    waits, first_sight = [], 0
    for number in range(tries):
        player = 5_000_000 + number
        at = datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="seconds")
        row = {"id": f"seen-{number}", "player_id": player, "media_id": 51, "played_at": at}
        status, answer = caller.call("POST", "/api/v1/streams/playlogs/events", json.dumps(row).encode() + b"\n")
        begun, asked = time.perf_counter(), 1
        if status != 200 or answer["accepted"] != 1:
            raise RuntimeError(f"the row was answered {status}: {answer}")
        while count(caller, 2, player_id=player) != 1:
            asked += 1
            if time.perf_counter() - begun > 60:
                raise TimeoutError(f"row {number} was acknowledged and never counted")
        waits.append(time.perf_counter() - begun)
        first_sight += asked == 1
    return waits, first_sight
