"""What a server costs that has nothing to do."""

from __future__ import annotations

import time

from benchmarks.harness import Aim, Place, Result
from benchmarks.machine import cpu_seconds, resident
from benchmarks.server import Server


def idle(place: Place) -> Result:
    settle, seconds = place.size(15, 5), place.size(60, 5)
    with Server(place.home("idle")) as server:
        time.sleep(settle)
        before, begun = cpu_seconds(server.pid), time.perf_counter()
        time.sleep(seconds)
        share = 100 * (cpu_seconds(server.pid) - before) / (time.perf_counter() - begun)
        memory = resident(server.pid) / 1e6
        started = server.start_seconds
    return Result(
        name="idle",
        title="a server after its start, with nothing to do",
        parameters={"seconds": seconds, "after_s": settle},
        figures={"CPU %": share, "resident MB, children included": memory, "seconds from start to ready": started},
        aims=[
            Aim("CPU", share, 1, "%", at_most=True),
            Aim("memory", memory, 200, "MB", at_most=True),
        ],
    )
