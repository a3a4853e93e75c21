"""What a server costs that has nothing to do, with one account and with a thousand."""

from __future__ import annotations

import time
from dataclasses import dataclass

from airtally.background import rebuilder_of
from airtally.rollups.rebuild import EAGER
from airtally.streams import AD_EVENTS
from benchmarks.harness import Aim, Place, Result
from benchmarks.machine import cpu_seconds, resident
from benchmarks.many_accounts import fill, opened
from benchmarks.server import Home, Server

_ROWS = 20


@dataclass(frozen=True)
class IdleCosts:
    """`cpu` in per cent of one core, `memory` in MB with children, `started` in seconds until ready."""

    cpu: float
    memory: float
    started: float


def idle(place: Place) -> Result:
    settle, seconds, accounts = place.size(15, 5), place.size(60, 5), place.size(1000, 40)
    one, many = place.home("idle"), place.home("idle_many")
    _fill(one, 1, accounts * _ROWS)
    _fill(many, accounts, _ROWS)
    single, thousand = _measured(one, settle, seconds), _measured(many, settle, seconds)
    return Result(
        name="idle",
        title=f"a server after its start, with nothing to do: one account, and {accounts:,} with the same rows",
        parameters={"seconds": seconds, "after_s": settle, "accounts": accounts},
        figures={
            "CPU %": single.cpu,
            "resident MB, children included": single.memory,
            "seconds from start to ready": single.started,
            "many accounts, CPU %": thousand.cpu,
            "many accounts, resident MB": thousand.memory,
            "many accounts, seconds from start to ready": thousand.started,
        },
        ratio=thousand.cpu / single.cpu,
        aims=[
            Aim("CPU", single.cpu, 1, "%", at_most=True),
            Aim("memory", single.memory, 200, "MB", at_most=True),
            Aim("CPU of many accounts, times one", thousand.cpu / single.cpu, 1.2, at_most=True),
            Aim("CPU of many accounts", thousand.cpu, 1, "%", at_most=True),
            Aim("memory of many accounts", thousand.memory, 200, "MB", at_most=True),
        ],
        notes=["the accounts have ad events, and their rollups are current"],
    )


def _fill(home: Home, accounts: int, rows: int) -> None:
    with opened(home.folder) as services:
        fill(services, accounts, rows)
        table, rebuilder = services.storage.lake.table(AD_EVENTS), rebuilder_of(services)
        for rollup in AD_EVENTS.rollups:
            rebuilder.rebuild(table, rollup, EAGER)


def _measured(home: Home, settle: int, seconds: int) -> IdleCosts:
    with Server(home) as server:
        time.sleep(settle)
        before, begun = cpu_seconds(server.pid), time.perf_counter()
        time.sleep(seconds)
        share = 100 * (cpu_seconds(server.pid) - before) / (time.perf_counter() - begun)
        return IdleCosts(share, resident(server.pid) / 1e6, server.start_seconds)
