"""The players of an account with their last logs, `GET /v1/players`, over ten million playlogs."""

from __future__ import annotations

import shutil
import time
from datetime import date
from typing import Any

from airtally.demo.network import build
from airtally.demo.playlogs import Playlogs
from airtally.kit.time import DAY_US, day_start_us
from benchmarks.earlier import all_run_by, run_by, sources_of
from benchmarks.harness import Aim, Place, Result
from benchmarks.kept import Source, kept
from benchmarks.machine import cpu_seconds
from benchmarks.server import Caller, Server

COMMIT = "7565719"
_SEED = 1
_PAGE = 100
_ROUNDS = 5
_WARM_UP = 3


def players(place: Place) -> Result:
    sources = sources_of(place, COMMIT)
    with all_run_by(sources):
        data = kept(place, network(place))
    ours = data.home.copied(place.work / "homes" / "players")
    calls = place.size(40, 4)
    with Server(run_by(data.home, sources)) as before, Server(ours) as now, Caller(before) as old, Caller(now) as new:
        _compare(place, old, new)
        sides = [_Side(before, old), _Side(now, new)]
        for number in range(_ROUNDS):
            for side in sides:
                side.ask(place, calls, number)
    shutil.rmtree(ours.folder)
    theirs, mine = (side.cpu_ms(_ROUNDS * calls) for side in sides)
    return Result(
        name="players",
        title="`GET /v1/players`, pages of 100 players with their last logs, one call at a time over HTTP",
        parameters={"playlogs": data.rows, "players": players_of(place), "calls": _ROUNDS * calls},
        figures={"the server's CPU, ms a call": mine, "ms a call": sides[1].wall_ms(_ROUNDS * calls)}
        | {"the client's CPU, ms a call": sides[1].client_ms(_ROUNDS * calls)},
        reference={
            f"commit {COMMIT}, the server's CPU, ms a call": theirs,
            f"commit {COMMIT}, ms a call": sides[0].wall_ms(_ROUNDS * calls),
        },
        ratio=theirs / mine,
        aims=[Aim(f"CPU a call, of commit {COMMIT}'s", mine / theirs, 0.2, at_most=True)],
        notes=["both servers run at once and are asked in turn; all pages of both were compared"],
    )


def players_of(place: Place) -> int:
    return place.size(5_000, 150)


def network(place: Place) -> Source:
    """A month of a network's playlogs; no player says itself when its last log came."""
    rows, days = place.size(10_000_000, 20_000), place.size(30, 5)

    def declared(end_day: date) -> dict[str, list[dict[str, Any]]]:
        found = build(_SEED, players_of(place)).player_rows(day_start_us(end_day) + DAY_US)
        return {"players": [{name: row[name] for name in row if name != "last_log_at"} for row in found]}

    return Source(
        f"playlogs-{COMMIT}",
        "playlogs",
        rows,
        before=declared,
        tables=lambda end_day: Playlogs(_SEED, days, end_day, players_of(place), rows).tables(),
    )


class _Side:
    """A server and what its calls took, in all."""

    def __init__(self, server: Server, caller: Caller) -> None:
        self._server, self._caller = server, caller
        self._cpu = self._client = self._wall = 0.0

    def ask(self, place: Place, calls: int, number: int) -> None:
        pages = -(-players_of(place) // _PAGE)
        for call in range(_WARM_UP):
            _page(self._caller, call % pages + 1)
        cpu, client, wall = cpu_seconds(self._server.pid), time.process_time(), time.perf_counter()
        for call in range(calls):
            _page(self._caller, (number * calls + call) % pages + 1)
        self._cpu += cpu_seconds(self._server.pid) - cpu
        self._client += time.process_time() - client
        self._wall += time.perf_counter() - wall

    def cpu_ms(self, calls: int) -> float:
        return 1000 * self._cpu / calls

    def client_ms(self, calls: int) -> float:
        return 1000 * self._client / calls

    def wall_ms(self, calls: int) -> float:
        return 1000 * self._wall / calls


def _page(caller: Caller, number: int) -> dict[str, Any]:
    status, content = caller.call("GET", f"/v1/players?page={number}")
    if status != 200:
        raise RuntimeError(f"page {number} was answered {status}: {content}")
    found: dict[str, Any] = content
    return found


def _compare(place: Place, old: Caller, new: Caller) -> None:
    """Raises RuntimeError where the two programs list other players or other last logs."""
    for number in range(1, -(-players_of(place) // _PAGE) + 1):
        one, other = (
            [(each["id"], each["name"], each["lastLogReceived"]) for each in _page(caller, number)["results"]]
            for caller in (old, new)
        )
        if one != other or not any(last for _, _, last in one):
            raise RuntimeError(f"page {number} of the players differs")
