"""Tapjoy's insights of many kinds at once, in turn with the program of an earlier commit on the same rows."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace

from benchmarks.earlier import all_run_by, run_by, sources_of
from benchmarks.harness import Aim, Place, Result
from benchmarks.insights import bearer
from benchmarks.kept import Kept, kept, rollups
from benchmarks.machine import cpu_seconds
from benchmarks.server import Caller, Home, Server
from benchmarks.sources import ads, groups_of
from benchmarks.tapjoy import CACHE, CACHE_BYTES, CONNECTIONS, mixed_requests

COMMIT = "7565719"
_ROUNDS = 3
_CACHES = {"off": "0", "on": CACHE_BYTES}


@dataclass
class _Sum:
    """What all rounds of one program and cache came to; processor times in seconds."""

    requests: int = 0
    seconds: float = 0.0
    server: float = 0.0
    client: float = 0.0

    @property
    def speed(self) -> float:
        return self.requests / self.seconds

    def figures(self, cache: str) -> dict[str, float]:
        each = 1000 / self.requests
        return {
            f"cache {cache}, requests/s": self.speed,
            f"cache {cache}, the server's CPU, ms a request": self.server * each,
            f"cache {cache}, the client's CPU, ms a request": self.client * each,
        }


def tapjoy_mixed_earlier(place: Place) -> Result:
    sources = sources_of(place, COMMIT)
    with all_run_by(sources):
        data = kept(place, replace(ads(place, tenth=True), name="ad-events-earlier"))
    ours = data.home.copied(place.work / "homes" / "mixed")
    rollups(ours, "ad_events")  # what a later release makes of them, before it is measured
    homes = {"now": ours, "before": run_by(data.home, sources)}
    seconds = place.size(10, 2)
    sums = {(who, cache): _Sum() for who in homes for cache in _CACHES}
    for _ in range(1 if place.small else _ROUNDS):
        for (who, cache), total in sums.items():
            _ask(place, data, homes[who].with_settings(**{CACHE: _CACHES[cache]}), seconds, total)
    shutil.rmtree(ours.folder)
    ratios = {cache: sums["now", cache].speed / sums["before", cache].speed for cache in _CACHES}
    return Result(
        name="tapjoy_mixed_earlier",
        title=f"Tapjoy insights of many kinds, {CONNECTIONS} connections, in turn with the program of commit {COMMIT}",
        parameters={"rows": data.rows, "ad_groups": groups_of(place), "seconds": seconds, "connections": CONNECTIONS},
        figures=_figures(sums, "now"),
        reference={f"commit {COMMIT}, {what}": value for what, value in _figures(sums, "before").items()},
        ratio=ratios["on"],
        aims=[Aim(f"times as many requests/s, cache {cache}", ratio, 2.5) for cache, ratio in ratios.items()],
        notes=["the calls are those of tapjoy_mixed, at a tenth of its rows; the servers run one after the other"],
    )


def _figures(sums: dict[tuple[str, str], _Sum], who: str) -> dict[str, float]:
    return {what: value for cache in _CACHES for what, value in sums[who, cache].figures(cache).items()}


def _ask(place: Place, data: Kept, home: Home, seconds: float, total: _Sum) -> None:
    with Server(home) as server, Caller(server) as caller:
        requests = mixed_requests(place, data, bearer(caller, data))
        before = cpu_seconds(server.pid)
        load = server.ask(requests, connections=CONNECTIONS, seconds=seconds)
        if set(load.statuses) != {"200"}:
            raise RuntimeError(f"answers other than 200: {load.statuses}")
        total.server += cpu_seconds(server.pid) - before
    total.requests += load.requests
    total.seconds += load.seconds
    total.client += load.cpu_seconds
