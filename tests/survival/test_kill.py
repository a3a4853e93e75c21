"""kill -9 at random moments under load: ingest, flush, compaction, a report and its webhook under way."""

from __future__ import annotations

import gzip
import http.server
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from fixtures.load import DAY, Ledger, Sender

RETRY_SECONDS = (1, 2, 3)


class Receiver(http.server.ThreadingHTTPServer):
    """Refuses every notice, so that all tries are made; remembers when each came."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Refuse)
        self.tries: dict[int, list[float]] = {}
        self.url = f"http://127.0.0.1:{self.server_address[1]}/"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Refuse(http.server.BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        notice = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.tries.setdefault(notice["id"], []).append(time.monotonic())
        self.send_response(500)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


class Server:
    """`airtally serve` as a process of its own, to be killed."""

    def __init__(self, home: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = (home.parent / "server.log").open("ab")
        self.env = os.environ | {
            "AIRTALLY_HOME": str(home),
            "AIRTALLY_FLUSH_SECONDS": "0.5",
            "AIRTALLY_LATE_FLUSH_SECONDS": "0.5",
            "AIRTALLY_RATE_LIMITS": "off",
            "AIRTALLY_OUTGOING_ALLOW": "127.0.0.0/8",
            "AIRTALLY_FOURYOUSEE_RETRY_SECONDS": ",".join(map(str, RETRY_SECONDS)),
        }
        self.process: subprocess.Popen[bytes] | None = None

    def run(self, *arguments: str) -> str:
        command = [sys.executable, "-m", "airtally", *arguments]
        return subprocess.run(command, env=self.env, capture_output=True, text=True, check=True).stdout

    def start(self) -> None:
        command = [sys.executable, "-m", "airtally", "serve", "--port", str(self.port), "--log-level", "warning"]
        self.process = subprocess.Popen(command, env=self.env, stdout=self.log, stderr=self.log, start_new_session=True)
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                if httpx.get(f"{self.url}/healthz", timeout=2).status_code == 200:
                    return
            except httpx.HTTPError:
                time.sleep(0.05)
        raise AssertionError("the server did not come up; see server.log")

    def kill(self) -> None:
        """The whole group: the child for heavy work dies with its parent anyway."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def _counted(url: str, key: str) -> dict[int, int]:
    question = {"stream": "playlogs", "metrics": ["count"], "dimensions": ["media_id"]}
    answer = httpx.post(f"{url}/api/v1/query", json=question, headers={"Authorization": f"Bearer {key}"}, timeout=120)
    assert answer.status_code == 200, answer.text
    return {row["media_id"]: row["count"] for row in answer.json()["rows"]}


def _ask_report(url: str, token: str, webhook: str) -> int | None:
    asked = {"webhook": webhook, "filter": {"startDate": DAY, "endDate": DAY}}
    try:
        answer = httpx.post(f"{url}/v1/reports", json=asked, headers={"Secret-Token": token}, timeout=120)
    except httpx.HTTPError:
        return None
    return int(answer.json()["id"]) if answer.status_code == 200 else None


def _ended(url: str, token: str, report: int) -> dict[str, object]:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        found = httpx.get(f"{url}/v1/reports/{report}", headers={"Secret-Token": token}, timeout=120).json()
        if found["status"] != "waiting":
            return found
        time.sleep(0.2)
    raise AssertionError(f"report {report} neither completed nor failed")


def _check_file(found: dict[str, object]) -> None:
    if found["status"] == "failed":
        return
    answer = httpx.get(str(found["url"]), timeout=120)
    lines = gzip.decompress(answer.content).splitlines()
    ordered = [(line["date"], line["time"]) for line in map(json.loads, lines)]
    assert ordered == sorted(ordered, reverse=True)


def _check_tries(tries: dict[int, list[float]], reports: list[int]) -> None:
    """No notice more than four times, none lost, none before its time (killed senders may try once more)."""
    deadline = time.monotonic() + 120
    while any(len(tries.get(each, ())) < 4 for each in reports) and time.monotonic() < deadline:
        time.sleep(0.2)
    for report in reports:
        assert len(tries.get(report, ())) >= 4, f"report {report}: {len(tries.get(report, ()))} tries"


def _survive(tmp_path: Path, rounds: int) -> None:
    chance = random.Random(rounds)
    home = tmp_path / "home"
    server, receiver, ledger = Server(home), Receiver(), Ledger()
    server.run("account", "create", "--name", "Acme", "--slug", "acme")
    key = json.loads(
        server.run(
            "key", "create", "--account", "acme", "--for", "native", "--scope", "write", "--scope", "read", "--json"
        )
    )["token"]
    token = json.loads(server.run("key", "create", "--account", "acme", "--for", "fouryousee", "--json"))[
        "secret_token"
    ]
    reports: list[int] = []
    for _ in range(rounds):
        server.start()
        senders = [Sender(server.url, key, ledger, rows) for rows in (1, 50, 2000)]
        for sender in senders:
            sender.start()
        time.sleep(chance.uniform(0.1, 1.5))
        report = _ask_report(server.url, token, receiver.url)
        time.sleep(chance.uniform(0.05, 2.0))
        server.kill()
        for sender in senders:
            sender.stopped.set()
        for sender in senders:
            sender.join()
        reports += [] if report is None else [report]
    server.start()
    try:
        assert ledger.wrong(_counted(server.url, key)) == []
        for report in reports:
            _check_file(_ended(server.url, token, report))
        _check_tries(receiver.tries, reports)
        assert ledger.wrong(_counted(server.url, key)) == []
        assert len(ledger.acknowledged) > rounds, "the load never got through"
    finally:
        server.kill()
        receiver.shutdown()
        receiver.server_close()
        server.log.close()


@pytest.mark.timeout(300)
def test_three_rounds(tmp_path):
    _survive(tmp_path, 3)


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_thirty_rounds(tmp_path):
    _survive(tmp_path, 30)
