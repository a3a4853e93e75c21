"""Detailed reports of a thousand playlogs, each from the request until it succeeded."""

from __future__ import annotations

import json
import time
from datetime import UTC, date, datetime, timedelta

from isal import igzip

from benchmarks.harness import Aim, Place, Result
from benchmarks.machine import cpu_seconds
from benchmarks.native import Cost
from benchmarks.raw import percentile
from benchmarks.server import Caller, Server

_ROWS = 1_000
_MOST_SECONDS = 60.0


def report_small(place: Place) -> Result:
    """The rows of each report are sent just before, so that they are not in the lake when it is asked for."""
    rounds = place.size(20, 3)
    today = datetime.now(UTC).date()
    cost, cold = Cost(), 0.0
    with Server(place.home("report_small")) as server, Caller(server) as caller:
        for number in range(rounds + 1):
            day = today - timedelta(days=number)
            caller.call("POST", "/api/v1/streams/playlogs/events", _plays(day))
            before = cpu_seconds(server.pid)
            seconds = _seconds(caller, day)
            if number:
                cost.seconds.append(seconds)
                cost.cpu += cpu_seconds(server.pid) - before
            else:
                cold = seconds
    p50 = percentile(cost.seconds, 0.5) / 1000
    return Result(
        name="report_small",
        title="a detailed 4YouSee report of 1,000 playlogs sent just before, from the request until `success`",
        parameters={"rows": _ROWS, "rounds": rounds},
        figures={
            "p50 s": p50,
            "fastest s": min(cost.seconds),
            "slowest s": max(cost.seconds),
            "the first after a start, s": cold,
            "server CPU s a report, with its polling": cost.cpu / len(cost.seconds),
        },
        aims=[Aim("p50", p50, 0.3, "s", at_most=True)],
        notes=["the client asks every 10 ms whether the report succeeded"],
    )


def _plays(day: date) -> bytes:
    """Some thousand plays of twenty players, over a whole day."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    rows = (
        {
            "id": f"{day}-{number}",
            "player_id": 1 + number % 20,
            "media_id": 1 + number % 50,
            "played_at": f"{midnight + timedelta(seconds=86 * number):%Y-%m-%dT%H:%M:%S}",
        }
        for number in range(_ROWS)
    )
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def _seconds(caller: Caller, day: date) -> float:
    """Raises RuntimeError where the report does not have the day's plays."""
    begun = time.perf_counter()
    asked = {"type": "detailed", "filter": {"startDate": str(day), "endDate": str(day), "sort": -1}}
    _, report = caller.call("POST", "/v1/reports", asked)
    while report["status"] == "waiting" and time.perf_counter() - begun < _MOST_SECONDS:
        time.sleep(0.01)
        report = caller.call("GET", f"/v1/reports/{report['id']}")[1]
    seconds = time.perf_counter() - begun
    if report["status"] != "success":
        raise RuntimeError(f"the report ended as {report}")
    lines = igzip.decompress(caller.call("GET", "/" + report["url"].split("/", 3)[3])[1]).count(b"\n")
    if lines != _ROWS:
        raise RuntimeError(f"the report has {lines} lines")
    return seconds
