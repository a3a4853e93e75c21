"""`airtally serve --workers 2`: two processes on one port answer as one, and nothing is lost or doubled with either."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from fixtures.load import Ledger, Sender, body
from fixtures.program import PROGRAM, run

NATIVE = ("key", "create", "--account", "acme", "--for", "native", "--scope", "read", "--scope", "write", "--json")
FIRST_LINK = r"airtally: there is no user yet: make the first at (https?://\S+/setup\?token=\S{43}) \(once, until \S+\)"
SECONDS = 60.0


@dataclass
class Workers:
    """A parent that serves; `key` may read and write."""

    process: subprocess.Popen[str]
    home: Path
    url: str
    key: str
    log: Path

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    @property
    def pids(self) -> list[int]:
        """Of the workers, the first started first."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text(encoding="utf-8")
        return [int(each) for each in children.split()]

    def send(self, number: int, rows: int) -> None:
        """Over a connection of its own, which whichever worker is free accepts."""
        url = f"{self.url}/api/v1/streams/playlogs/events"
        answer = httpx.post(
            url, content=body(number, rows), headers=self.headers | {"Content-Type": "application/x-ndjson"}
        )
        assert answer.status_code == 200, answer.text

    def counted(self) -> dict[int, int]:
        asked = {"stream": "playlogs", "metrics": ["count"], "dimensions": ["media_id"]}
        answer = httpx.post(f"{self.url}/api/v1/query", json=asked, headers=self.headers, timeout=SECONDS)
        assert answer.status_code == 200, answer.text
        return {row["media_id"]: row["count"] for row in answer.json()["rows"]}

    def metric(self, sample: str) -> float:
        found = re.search(rf"^{re.escape(sample)} (\S+)$", httpx.get(f"{self.url}/metrics").text, flags=re.MULTILINE)
        return float(found[1]) if found else 0.0

    def batches(self) -> list[int]:
        """How many are in each buffer's file."""
        return [batches_in(path) for path in sorted((self.home / "buffer").glob("*.sqlite"))]


def batches_in(path: Path) -> int:
    with sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True) as connection:
        return int(connection.execute("SELECT count(*) FROM batches").fetchone()[0])


def wait_until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < deadline, f"{what} did not happen"
        time.sleep(0.05)


def ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@contextmanager
def serving(home: Path, key: str, **environment: str) -> Iterator[Workers]:
    log = home.with_suffix(".stderr")
    with log.open("ab") as errors:
        process = subprocess.Popen(
            [PROGRAM, "--home", home, "serve", "--workers", "2", "--port", "0", "--log-level", "error"],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=os.environ | {"AIRTALLY_RATE_LIMITS": "off"} | environment,
            start_new_session=True,
        )
    try:
        assert process.stdout
        said = re.fullmatch(r"airtally: listening on (http://\S+:\d+)\n", process.stdout.readline())
        assert said, log.read_text()
        yield Workers(process, home, said[1], key, log)
    finally:
        with suppress(ProcessLookupError), process:
            os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def key(home: Path) -> str:
    run(home, "account", "create", "--name", "Acme", "--slug", "acme")
    return str(json.loads(run(home, *NATIVE).stdout)["token"])


@pytest.mark.timeout(240)
def test_two_answer_as_one(home: Path, key: str) -> None:
    """Rows sent to whichever are in the next answer of each; metrics are sums that no death lowers; SIGTERM drains."""
    with serving(home, key, AIRTALLY_FLUSH_SECONDS="600s", AIRTALLY_LATE_FLUSH_SECONDS="600s") as server:
        assert len(server.pids) == 2
        sent: dict[int, int] = {}
        while len(sent) < 10 or min(server.batches()) == 0:
            number = len(sent) + 1
            assert number < 300, "one of the workers never gets a connection"
            server.send(number, 5)
            sent[number] = 5
            for _ in range(3):
                assert server.counted() == sent
        for _ in range(4):
            server.send(3, 5)  # its rows carry ids: whichever worker takes them again, they count once
            assert server.counted() == sent
        accepted = 'airtally_rows_accepted_total{stream="playlogs"}'
        rows = sum(10 if number % 3 == 0 else 5 for number in sent) + 4 * 10
        assert server.metric(accepted) == rows
        assert server.metric("airtally_buffer_live_bytes") > 0
        assert server.metric("process_resident_memory_bytes") > 200e6
        assert httpx.get(f"{server.url}/readyz").json()["checks"]["workers"] == "ok"

        for place in (1, 0):
            killed = server.pids[place]
            os.kill(killed, signal.SIGKILL)
            assert server.counted() == sent
            wait_until(lambda gone=killed: gone not in server.pids and len(server.pids) == 2, "another worker")
            assert server.counted() == sent
            assert server.metric(accepted) == rows
        wait_until(lambda: len(server.batches()) == 2, "the adoption of both buffers")
        assert server.counted() == sent

        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(SECONDS) == -signal.SIGTERM
        assert server.process.stdout
        (link,) = server.process.stdout.read().splitlines()
        assert re.fullmatch(FIRST_LINK, link), "said once, whatever is started again"
    assert list((home / "buffer").iterdir()) == []
    assert not list((home / "processes").glob("*.workers"))
    assert server.log.read_text(encoding="utf-8").count("a worker process ended and is started again") == 2


@pytest.mark.timeout(240)
def test_each_is_killed_under_load(home: Path, key: str) -> None:
    ledger = Ledger()
    with serving(home, key, AIRTALLY_FLUSH_SECONDS="0.5", AIRTALLY_LATE_FLUSH_SECONDS="0.5") as server:
        senders = [Sender(server.url, key, ledger, rows) for rows in (1, 50, 2000)]
        for sender in senders:
            sender.start()
        for place in (1, 0):
            before = len(ledger.acknowledged)
            wait_until(lambda before=before: len(ledger.acknowledged) > before + 5, "load")
            killed = server.pids[place]
            os.kill(killed, signal.SIGKILL)
            wait_until(lambda gone=killed: gone not in server.pids and len(server.pids) == 2, "another worker")
        for sender in senders:
            sender.stopped.set()
        for sender in senders:
            sender.join()
        assert ledger.wrong(server.counted()) == []


@pytest.mark.timeout(120)
def test_workers_end_with_a_parent_that_is_killed(home: Path, key: str) -> None:
    with serving(home, key) as server:
        server.send(1, 5)
        pids = server.pids
        server.process.kill()
        wait_until(lambda: all(ended(pid) for pid in pids), "the end of the workers")
        assert list((home / "buffer").iterdir()) == [], "they flushed"


def test_a_mistake_is_one_line_however_many_there_are(home: Path, key: str) -> None:
    (home / "metadata.sqlite").write_bytes(b"no database" * 3000)
    failed = run(home, "serve", "--workers", 2, "--port", 0, status=1)
    assert failed.stdout == ""
    (line,) = [each for each in failed.stderr.splitlines() if not each.startswith("{")]
    assert line.startswith("airtally: The metadata store is damaged: ")
    assert not list((home / "processes").glob("*.workers"))


@pytest.mark.parametrize("number", [0, -1, 65])
def test_numbers_of_workers_that_cannot_be(home: Path, number: int) -> None:
    failed = run(home, "serve", "--workers", number, "--port", 0, status=1)
    assert failed.stderr == "airtally: --workers is a number from 1 to 64 (One for each core at most)\n"
    assert not home.exists()
