"""Twenty minutes of mixed load beside callers that take all they can get: memory and files stay bounded, nothing is lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from itertools import cycle
from pathlib import Path
from statistics import median

import httpx
import pytest
from benchmarks.hostile import ATTACKS, Spec
from benchmarks.machine import resident, tree
from benchmarks.server import ROOT, Caller, Home, Server

from fixtures.load import DAY, Ledger, Sender

MINUTES = float(os.environ.get("AIRTALLY_HOSTILE_MINUTES", "20"))
#: As each of them runs for so long beside the next one, a quarter of the whole sees all of them.
ATTACK_SECONDS = MINUTES * 60 / 4 / len(ATTACKS)
GROWTH = 1.2
FILES = 1500  # a thousand silent connections, and the server's own

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(MINUTES * 60 + 600)]


@contextmanager
def attacked(home: Home, spec: Spec) -> Iterator[None]:
    file = home.folder.parent / f"attack-{time.monotonic_ns()}.json"
    file.write_text(json.dumps(asdict(spec)))
    attacker = subprocess.Popen([sys.executable, "-m", "benchmarks.hostile", str(file)], cwd=ROOT)
    try:
        yield
        assert attacker.poll() is None, f"the attack ended by itself: {spec.attack}"
    finally:
        attacker.kill()
        attacker.wait()


class Watch:
    """The server at rest: what it holds once nobody attacks."""

    def __init__(self, server: Server) -> None:
        self._pid = server.pid
        self.most_files = 0

    def files(self) -> None:
        self.most_files = max(self.most_files, len(list(Path(f"/proc/{self._pid}/fd").iterdir())))

    def memory(self, seconds: float) -> float:
        """Bytes of the server and its children, the median of so many seconds."""
        found, end = [], time.monotonic() + seconds
        while time.monotonic() < end:
            found.append(sum(map(resident, tree(self._pid))))
            time.sleep(0.5)
        return median(found)


def test_hostile_callers_take_no_more_with_time_and_nothing_is_lost(tmp_path: Path) -> None:
    home = Home.make(tmp_path / "home")
    home.run("account", "create", "--name", "Loud", "--slug", "loud-000000")
    key = ("key", "create", "--account", "loud-000000", "--json", "--for")
    token = json.loads(home.run(*key, "native", "--scope", "write", "--scope", "read"))["token"]
    secret = json.loads(home.run(*key, "fouryousee"))["secret_token"]
    ledger = Ledger()
    with Server(home) as server:
        senders = [Sender(f"http://127.0.0.1:{server.port}", home.token, ledger, rows=50) for _ in range(2)]
        for sender in senders:
            sender.start()
        watch, attacks = Watch(server), cycle(ATTACKS)
        early = _phase(server, watch, attacks, token, secret, MINUTES * 15)
        late = _phase(server, watch, attacks, token, secret, MINUTES * 45)
        for sender in senders:
            sender.stopped.set()
            sender.join(130)
        counted = _counted(server)

    assert late <= GROWTH * early
    assert watch.most_files <= FILES
    assert len(ledger.acknowledged) > 100
    assert not ledger.wrong(counted)


def _phase(server: Server, watch: Watch, attacks: Iterator[str], token: str, secret: str, seconds: float) -> float:
    """Attacks one after the other, questions and reports of the quiet account beside them; then memory at rest."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        spec = Spec(next(attacks), server.port, token, secret)
        with attacked(server.home, spec):
            until = time.monotonic() + ATTACK_SECONDS
            while time.monotonic() < until:
                watch.files()
                _ask(server)
                time.sleep(0.2)
    return watch.memory(min(20, seconds / 10))


def _ask(server: Server) -> None:
    with Caller(server) as caller:
        status, _ = caller.call("POST", "/api/v1/query", {"stream": "playlogs", "start": f"{DAY}T00:00:00Z"})
        assert status == 200
        wanted = {"type": "detailed", "filter": {"startDate": DAY, "endDate": DAY}}
        assert caller.call("POST", "/v1/reports", wanted)[0] in {200, 429}


def _counted(server: Server) -> dict[int, int]:
    question = {
        "stream": "playlogs",
        "dimensions": ["media_id"],
        "start": f"{DAY}T00:00:00Z",
        "end": "2026-10-02T00:00:00Z",
    }
    headers = {"Authorization": f"Bearer {server.home.token}"}
    answer = httpx.post(f"http://127.0.0.1:{server.port}/api/v1/query", json=question, headers=headers, timeout=120)
    counts = Counter({row["media_id"]: row["count"] for row in answer.json()["rows"]})
    return dict(counts)
