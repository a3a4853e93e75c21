"""A run of requests at one server: many connections, each answer judged, all counted at the end."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import httpx

from fixtures.load import Ledger
from fuzz.case import Case
from fuzz.client import Answer, BadAnswer, Connection
from fuzz.findings import Finding
from fuzz.grammar import draw_case
from fuzz.grammar.native import LEDGER_PLAYER
from fuzz.judge import SLOW, faults
from fuzz.known import learn
from fuzz.program import Server, alarms
from fuzz.tenants import A
from fuzz.wire import rendered

#: Bytes that the server may take at most, of its 512 MiB for DuckDB, its caches and the program itself.
MEMORY_MOST = 2 << 30


@dataclass
class Outcome:
    """What a run saw."""

    findings: list[Finding] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    slowest: float = 0.0
    requests: int = 0
    seconds: float = 0.0
    memory: int = 0

    def told(self) -> str:
        statuses = ", ".join(f"{status}: {count:,}" for status, count in sorted(self.statuses.items()))
        size, slowest = self.memory >> 20, f"the slowest {self.slowest:.1f} s"
        return f"{self.requests:,} requests in {self.seconds:.0f} s, {slowest}, {size} MiB; {statuses}"


@dataclass
class Run:
    """`cases` are named, and their ledger's numbers differ. `lenient`: what was slow is a finding if it is slow alone, too.

    A test shares its machine with others.
    """

    server: Server
    cases: Iterator[tuple[str, Case]]
    today: date
    connections: int
    secrets: tuple[bytes, ...]
    lenient: bool = False
    outcome: Outcome = field(default_factory=Outcome)
    ledger: Ledger = field(default_factory=Ledger)
    known: dict[str, bytes] = field(default_factory=dict)

    def go(self) -> Outcome:
        started = time.monotonic()
        with self._client() as client:
            self.known = learn(client, self.today)
        asyncio.run(self._all())
        asyncio.run(self._again())
        with self._client() as client:
            self._afterwards(client)
        self.outcome.seconds = time.monotonic() - started
        return self.outcome

    def _client(self) -> httpx.Client:
        return httpx.Client(base_url=self.server.url, verify=False, timeout=60, trust_env=False)

    async def _all(self) -> None:
        tls = self.server.url.startswith("https")
        host, port = self.server.host_and_port
        async with asyncio.TaskGroup() as tasks:
            for place in range(self.connections):
                tasks.create_task(self._feed(Connection(host, port, tls=tls, place=place)))

    async def _again(self) -> None:
        """What was slow is asked again, by itself."""
        slow = [each for each in self.outcome.findings if each.what.startswith(SLOW) and each.written]
        self.outcome.findings = [each for each in self.outcome.findings if each not in slow]
        host, port = self.server.host_and_port
        connection = Connection(host, port, tls=self.server.url.startswith("https"), place=self.connections)
        for each in slow:
            case, started = Case.read(each.written), time.perf_counter()
            if case.ledger is None:
                await self._one(connection, each.name, case)
            if not self.lenient:
                alone = f"alone {time.perf_counter() - started:.1f} s"
                self._found(each.name, f"{each.what}, {alone if case.ledger is None else 'not asked again'}", case)
        await connection.close()

    async def _feed(self, connection: Connection) -> None:
        for name, case in self.cases:
            if not self.server.alive:
                self._found(name, "the server has ended", case)
                break
            await self._one(connection, name, case)
        await connection.close()

    async def _one(self, connection: Connection, name: str, drawn: Case) -> None:
        host, port = self.server.host_and_port
        case = drawn.filled(self.known)
        sent = rendered(case, f"{host}:{port}".encode())
        try:
            answer = await connection.ask(sent, head=case.method == b"HEAD")
            if answer.status == 0 and sent.complete and case.ledger is None and answer.seconds < 1:
                answer = await connection.ask(sent, head=case.method == b"HEAD")  # it may have been closed as idle
        except (BadAnswer, OSError) as error:
            self._found(name, f"{type(error).__name__}: {error}", drawn)
            return
        self._count(case, answer)
        for what in faults(case, sent, answer, self.secrets):
            self._found(name, what, drawn)

    def _count(self, case: Case, answer: Answer) -> None:
        outcome = self.outcome
        outcome.requests += 1
        outcome.statuses[answer.status] += 1
        if answer.status:
            outcome.slowest = max(outcome.slowest, answer.seconds)
        if case.ledger is not None:
            number, rows = case.ledger
            into = self.ledger.unknown if answer.status == 0 else self.ledger.acknowledged
            into[number] = rows if answer.status in {0, 200} else 0

    def _found(self, name: str, what: str, case: Case | None = None) -> None:
        shown, written = ("", "") if case is None else (case.shown(), case.written())
        self.outcome.findings.append(Finding(name, what, shown, written))

    def _afterwards(self, client: httpx.Client) -> None:
        """Alive, ready, nothing lost, nothing in the log, not too large."""
        for path in ("/healthz", "/readyz"):
            answer = client.get(path)
            if answer.status_code != 200:
                self._found("", f"{path} at the end: {answer.status_code} {answer.text[:500]}")
        for what in self.ledger.wrong(_counted(client)):
            self._found("", f"ledger: {what}")
        self.outcome.memory = self.server.peak_memory()
        if self.outcome.memory > MEMORY_MOST:
            self._found("", f"the server took {self.outcome.memory >> 20} MiB")
        for said in alarms(self.server.new_lines()):
            self._found("", f"log: {said}")


def _counted(client: httpx.Client) -> dict[int, int]:
    question = {"stream": "playlogs", "dimensions": ["media_id"], "filter": {"player_id": LEDGER_PLAYER}}
    headers = {"Authorization": f"Bearer {A.key('native', 'token')}"}
    answer = client.post("/api/v1/query", json=question, headers=headers)
    return {row["media_id"]: row["count"] for row in answer.json()["rows"]}


def drawn(seed: int, numbers: Iterable[int], day: date) -> Iterator[tuple[str, Case]]:
    return ((f"requests:{day}:{seed}:{number}", draw_case(seed, number, day)) for number in numbers)


def paths_of(home: Path) -> tuple[bytes, ...]:
    return str(home).encode(), b"/usr/share/zoneinfo", b"/proc/", b"/home/"
