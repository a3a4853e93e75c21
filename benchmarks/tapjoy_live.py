"""Tapjoy's insights up to now, with rows of today that are still buffered, and the same without any."""

from __future__ import annotations

import json
import random
import shutil
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from airtally.demo.ad_groups import ad_groups
from benchmarks.harness import Aim, Place, Result
from benchmarks.insights import DAYS, bearer
from benchmarks.kept import Kept, kept
from benchmarks.machine import cpu_seconds
from benchmarks.raw import midnight, percentile
from benchmarks.server import Caller, Server
from benchmarks.sources import ads, groups_of

_WARM_UP = 5
_UNTOUCHED = {"AIRTALLY_ANSWER_CACHE": "0", "AIRTALLY_FLUSH_SECONDS": "3600"}


@dataclass(frozen=True)
class _Asked:
    """Of each question its seconds; processor times of all, in seconds."""

    times: list[float]
    server: float
    client: float

    def figures(self) -> dict[str, float]:
        each = 1000 / len(self.times)
        return {
            "the server's CPU, ms a question": self.server * each,
            "the client's CPU, ms a question": self.client * each,
            "p50 ms": percentile(self.times, 0.5),
        }


def tapjoy_live(place: Place) -> Result:
    data = kept(place, ads(place))
    home = data.home.copied(place.work / "homes" / "live").with_settings(**_UNTOUCHED)
    rows = place.size(5_000, 500)
    with Server(home) as server, Caller(server) as caller:
        paths, headers = _paths(place, data), bearer(caller, data)
        without = _ask_all(server, caller, paths, headers)
        _send(place, caller, rows)
        buffered = _ask_all(server, caller, paths, headers)
    shutil.rmtree(home.folder)
    ratio = buffered.server / without.server
    return Result(
        name="tapjoy_live",
        title=f"Tapjoy insights of the last {DAYS} days and today, by the day and country, with rows of today buffered",
        parameters={"rows": data.rows, "buffered": rows, "ad_groups": groups_of(place), "questions": len(paths)},
        figures=buffered.figures(),
        reference={f"without buffered rows, {what}": value for what, value in without.figures().items()},
        ratio=ratio,
        aims=[Aim("the server's CPU, times that without buffered rows", ratio, 2, at_most=True)],
        notes=["one call at a time, no answer cache; the same questions before and after the rows came in"],
    )


def _paths(place: Place, data: Kept) -> list[str]:
    chance = random.Random(data.rows)
    ids = [group.id for group in ad_groups(1, groups_of(place))]
    start, end = midnight(data.end_day) - timedelta(days=DAYS), datetime.now(UTC) + timedelta(days=1)
    times = {"start_time": f"{start:%Y-%m-%dT%H:%M:%SZ}", "end_time": f"{end:%Y-%m-%dT00:00:00Z}"}
    query = urlencode(times | {"time_increment": "daily", "breakdowns": "country_code"})
    return [f"/v1/ad_groups/{chance.choice(ids)}/insights?{query}" for _ in range(place.size(200, 20))]


def _ask_all(server: Server, caller: Caller, paths: list[str], headers: dict[str, str]) -> _Asked:
    for path in paths[:_WARM_UP]:
        _ask(caller, path, headers)
    before, own = cpu_seconds(server.pid), time.process_time()
    times = [_ask(caller, path, headers) for path in paths]
    return _Asked(times, cpu_seconds(server.pid) - before, time.process_time() - own)


def _ask(caller: Caller, path: str, headers: dict[str, str]) -> float:
    answer = caller.ask("GET", path, headers)
    if answer.status != 200:
        raise RuntimeError(f"{path} was answered {answer.status}: {answer.text[:500]!r}")
    return answer.seconds


def _send(place: Place, caller: Caller, rows: int) -> None:
    ids = [group.id for group in ad_groups(1, groups_of(place))]
    at = f"{datetime.now(UTC):%Y-%m-%dT00:00:00Z}"
    body = "".join(
        json.dumps({"time": at, "ad_group_id": ids[number % len(ids)], "kind": "paid_click", "country": "US"}) + "\n"
        for number in range(rows)
    )
    status, answer = caller.call("POST", "/api/v1/streams/ad_events/events", body.encode())
    if status != 200 or answer["accepted"] != rows:
        raise RuntimeError(f"the rows were answered {status}: {answer}")
