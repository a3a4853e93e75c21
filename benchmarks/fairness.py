"""What a quiet account notices of one that takes all it can get."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime

from benchmarks import data
from benchmarks.harness import Aim, Place, Result
from benchmarks.hostile import ATTACKS, Spec
from benchmarks.machine import Watch
from benchmarks.questions import count
from benchmarks.server import ROOT, Caller, Home, Server

KINDS = ("ingest", "query", "report")
Waits = dict[str, list[float]]
LOUD = "loud-000000"


def fairness(place: Place) -> Result:
    seconds, rows = place.size(30, 2), place.size(1_000_000, 20_000)
    home = place.home("fairness")
    home.run("account", "create", "--name", "Loud", "--slug", LOUD)
    source = data.ndjson(place.data, data.recent(rows))
    home.run("ingest", "playlogs", str(source), "--account", LOUD)
    token, secret = _key(home, "native", "--scope", "write", "--scope", "read"), _key(home, "fouryousee")
    figures: dict[str, float] = {}
    worst = dict.fromkeys(KINDS, 0.0)
    with Server(home) as server, Watch(server.pid) as watch:
        _quietly(server, min(seconds, 5))
        alone = _p99(_quietly(server, 2 * seconds))
        figures |= {f"{kind} alone, p99 ms": alone[kind] * 1000 for kind in KINDS}
        for attack in ATTACKS:
            with _attacked(home, Spec(attack, server.port, token["token"], secret["secret_token"])):
                time.sleep(min(seconds, 3))
                beside = _p99(_quietly(server, seconds))
            for kind in KINDS:
                figures[f"{kind} beside {attack}, p99 times that alone"] = beside[kind] / alone[kind]
                worst[kind] = max(worst[kind], beside[kind] / alone[kind])
        figures["server peak MB"] = watch.peak / 1e6
    return Result(
        name="fairness",
        title="one account's calls, one after the other, while another account or a stranger takes all it can get",
        parameters={"seconds_each": seconds, "rows_of_the_other_account": rows},
        figures=figures,
        aims=[Aim(f"{kind}, worst p99", worst[kind], 3, "times that alone", at_most=True) for kind in KINDS],
        notes=["the attackers run on the same cores, at the lowest priority"],
    )


def _key(home: Home, kind: str, *flags: str) -> dict[str, str]:
    made: dict[str, str] = json.loads(home.run("key", "create", "--account", LOUD, "--json", "--for", kind, *flags))
    return made


@contextmanager
def _attacked(home: Home, spec: Spec) -> Iterator[None]:
    file = home.folder.with_suffix(".attack.json")
    file.write_text(json.dumps(asdict(spec)), encoding="utf-8")
    attacker = subprocess.Popen([sys.executable, "-m", "benchmarks.hostile", str(file)], cwd=ROOT)
    try:
        yield
        if attacker.poll() is not None:
            raise RuntimeError(f"the attack ended by itself: {spec.attack}")
    finally:
        attacker.kill()
        attacker.wait()


def _quietly(server: Server, seconds: float) -> Waits:
    waits: Waits = {kind: [] for kind in KINDS}
    end, number = time.perf_counter() + seconds, 0
    with Caller(server) as caller:
        while time.perf_counter() < end or not all(waits.values()):
            for _ in range(5):
                number += 1
                waits["ingest"].append(_timed(lambda n=number: _ingest(caller, n)))  # type: ignore[misc]
                waits["query"].append(_timed(lambda: count(caller, 2)))
                time.sleep(0.02)
            waits["report"].append(_timed(lambda: _report(caller)))
    return waits


def _timed(call: object) -> float:
    begun = time.perf_counter()
    call()  # type: ignore[operator]
    return time.perf_counter() - begun


def _ingest(caller: Caller, number: int) -> None:
    at = datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
    rows = [
        json.dumps({"id": f"{at}-{number}-{n}", "player_id": n, "media_id": 51, "played_at": at[:19]})
        for n in range(20)
    ]
    status, answer = caller.call("POST", "/api/v1/streams/playlogs/events", "\n".join(rows).encode())
    if status != 200 or answer["accepted"] != len(rows):
        raise RuntimeError(f"rows were answered {status}: {answer}")


def _report(caller: Caller) -> None:
    day = str(datetime.now(UTC).date())
    _, report = caller.call("POST", "/v1/reports", {"type": "detailed", "filter": {"startDate": day, "endDate": day}})
    while report["status"] == "waiting":
        time.sleep(0.02)
        report = caller.call("GET", f"/v1/reports/{report['id']}")[1]
    if report["status"] != "success":
        raise RuntimeError(f"the report ended as {report}")


def _p99(waits: Waits) -> dict[str, float]:
    """Of few reports it is the slowest."""
    return {kind: sorted(times)[min(len(times) - 1, int(len(times) * 0.99))] for kind, times in waits.items()}
