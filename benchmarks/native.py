"""What the benchmarks of the native API share: one question, asked here and of DuckDB in turn, with what both cost."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from benchmarks.harness import Aim
from benchmarks.kept import Kept
from benchmarks.machine import cpu_seconds
from benchmarks.raw import Raw, midnight, percentile
from benchmarks.server import Answer, Caller, Home, Server

ARROW = "application/vnd.apache.arrow.stream"
#: One day, three dimensions that no rollup has together. `{rows}` are the account's rows.
BY_HAND = """
    SELECT ad_group_id, country, kind, count(*) AS events, sum(count)::BIGINT AS counted
    FROM {rows} WHERE time >= $start AND time < $end GROUP BY ALL
"""


@dataclass
class Cost:
    """Seconds of single calls, and the processor time that all of them took together."""

    seconds: list[float] = field(default_factory=list)
    cpu: float = 0.0

    def figures(self, what: str) -> dict[str, float]:
        return {
            f"{what} p50 ms": percentile(self.seconds, 0.5),
            f"{what} fastest ms": 1000 * min(self.seconds),
            f"{what} CPU ms": 1000 * self.cpu / len(self.seconds),
        }


@dataclass(frozen=True)
class Compared:
    """Calls here and of the reference in turn, so that what else the machine does weighs on both alike."""

    ours: Cost
    theirs: Cost

    @property
    def ratio(self) -> float:
        """The median of the ratios of neighbours."""
        pairs = zip(self.ours.seconds, self.theirs.seconds, strict=True)
        return percentile([ours / theirs for ours, theirs in pairs], 0.5) / 1000

    def aim(self, bound: float) -> Aim:
        return Aim("times the reference's time", self.ratio, bound, at_most=True)


class NativeAsked:
    """The day's question at an API of a running server, and by hand."""

    def __init__(self, data: Kept, server: Server, caller: Caller, raw: Raw) -> None:
        self._data, self._server, self._caller, self._raw = data, server, caller, raw
        self.start = midnight(data.end_day) - timedelta(days=3)
        self.end = self.start + timedelta(days=1)

    def in_turn(self, path: str, body: dict[str, Any], rounds: int) -> Compared:
        """Every answer is compared with the reference's; the first two rounds are not counted."""
        ours, theirs = Cost(), Cost()
        for number in range(-2, rounds):
            found = self._costed(self._by_hand, theirs if number >= 0 else Cost())
            answer = self._costed(
                lambda: asked(self._caller, self._data.home, path, body), ours if number >= 0 else Cost()
            )
            check_same(pa.ipc.open_stream(io.BytesIO(answer)).read_all(), found)
        return Compared(ours, theirs)

    def alone(self, path: str, body: dict[str, Any], rounds: int) -> Cost:
        cost = Cost()
        for number in range(-2, rounds):
            self._costed(lambda: asked(self._caller, self._data.home, path, body), cost if number >= 0 else Cost())
        return cost

    def _by_hand(self) -> tuple[float, pa.Table]:
        return self._raw.ask(BY_HAND, self._raw.files(self.start, self.end), {"start": self.start, "end": self.end})

    def _costed(self, call: Callable[[], tuple[float, Any]], cost: Cost) -> Any:
        before = self._cpu()
        seconds, found = call()
        cost.seconds.append(seconds)
        cost.cpu += self._cpu() - before
        return found

    def _cpu(self) -> float:
        return time.process_time() + cpu_seconds(self._server.pid)


def asked(caller: Caller, home: Home, path: str, body: dict[str, Any]) -> tuple[float, bytes]:
    """Seconds and the bytes of an Arrow stream. Raises RuntimeError for anything but an answer."""
    headers = {"Authorization": f"Bearer {home.token}", "Content-Type": "application/json", "Accept": ARROW}
    answer: Answer = caller.ask("POST", path, headers, json.dumps(body).encode())
    if answer.status != 200:
        raise RuntimeError(f"{body} was answered {answer.status}: {answer.text[:500]!r}")
    return answer.seconds, answer.text


def check_same(told: pa.Table, found: pa.Table) -> None:
    """Raises RuntimeError where two tables have other rows; their order is not looked at."""
    names = found.column_names
    if sorted(zip(*(told[name].to_pylist() for name in names), strict=True)) != sorted(
        zip(*(found[name].to_pylist() for name in names), strict=True)
    ):
        raise RuntimeError(f"{told.num_rows} rows told, {found.num_rows} found by hand, or their values differ")


def utc(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"
