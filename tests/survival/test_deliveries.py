"""kill -9 of a process that holds a delivery: another takes it over, and no two send within one lease."""

from __future__ import annotations

import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import insert, select, update

from airtally.accounts.accounts import Account
from airtally.database.store import MetadataStore
from airtally.database.tables import deliveries as table
from airtally.database.tables import reports
from airtally.kit.clock import SystemClock
from airtally.reports.outbox import LEASE_SECONDS

TRIES = 6
#: A process that sends what is due until it is killed; it says under which id it holds leases.
PROGRAM = """
import sys
from ipaddress import ip_network
from pathlib import Path
from airtally.database.processes import ThisProcess
from airtally.database.store import MetadataStore
from airtally.kit.clock import SystemClock
from airtally.kit.outgoing import Outgoing
from airtally.reports.deliveries import DeliveryLoop
from airtally.reports.outbox import Deliveries

process = ThisProcess(Path(sys.argv[2]))
store = MetadataStore.open(sys.argv[1])
deliveries = Deliveries(store, SystemClock(), (120.0, 360.0, 1080.0), process.id)
if "take over" in sys.argv:
    deliveries.release_gone(process.is_gone)
loop = DeliveryLoop(deliveries, Outgoing((ip_network("127.0.0.0/8"),)), poll_seconds=0.05)
loop.start()
print(process.id, flush=True)
sys.stdin.read()
"""


@dataclass
class Hanging:
    """A receiver that answers nothing until `free` is set; `came` are the numbers of the notices, in order."""

    url: str = ""
    came: list[int] = field(default_factory=list)
    free: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def receiver() -> Iterator[Hanging]:
    told = Hanging()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.came.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["id"])
            told.free.wait(120)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """The sender was killed."""

    server = Server(("127.0.0.1", 0), Handler)
    told.url = f"http://127.0.0.1:{server.server_port}/"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield told
    told.free.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def start(database_url: str, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []

    def process(*more: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", PROGRAM, database_url, str(tmp_path / "alive"), *more]
        made = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(made)
        assert made.stdout is not None
        assert made.stdout.readline()
        return made

    yield process
    for each in started:
        each.kill()
        each.communicate()


def fill(metadata: MetadataStore, account: Account, url: str) -> list[int]:
    """Ids of tries that are due; what is sent names each."""
    now = SystemClock().now_us()
    report = {"type": "detailed", "format": "json", "filter": "{}", "status": "failed", "created_at": now}
    with metadata.begin() as connection:
        made = insert(reports).values(**report, account_id=account.id, updated_at=now).returning(reports.c.id)
        of = {"account_id": account.id, "report_id": connection.execute(made).scalar_one(), "url": url}
        row = of | {"payload": "", "attempt": 1, "state": "due", "due_at": now, "created_at": now}
        ids = list(connection.execute(insert(table).returning(table.c.id), [row] * TRIES).scalars())
        for each in ids:
            connection.execute(update(table).where(table.c.id == each).values(payload=json.dumps({"id": each})))
    return ids


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def states(metadata: MetadataStore) -> list[tuple[str, int]]:
    with metadata.read() as connection:
        return [tuple(row) for row in connection.execute(select(table.c.state, table.c.lease_number))]


def test_a_killed_senders_tries_are_taken_over_by_one(
    metadata: MetadataStore, account: Account, receiver: Hanging, start: Callable[..., subprocess.Popen[str]]
) -> None:
    ids = fill(metadata, account, receiver.url)
    first = start()
    until(lambda: len(receiver.came) == TRIES)
    waiting = start()  # lives beside it: what is under a lease is not its to send
    time.sleep(0.5)
    assert sorted(receiver.came) == ids
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    time.sleep(0.5)
    assert sorted(receiver.came) == ids, "a lease holds until it ends or its process is known to be gone"
    start("take over")
    until(lambda: len(receiver.came) == 2 * TRIES)
    time.sleep(0.5)
    assert sorted(receiver.came) == sorted(ids * 2), "once under each lease"
    assert waiting.poll() is None
    receiver.free.set()
    until(lambda: states(metadata) == [("acknowledged", 2)] * TRIES)


def test_a_lease_that_ends_is_taken_over_without_knowing_of_the_death(
    metadata: MetadataStore, account: Account, receiver: Hanging, start: Callable[..., subprocess.Popen[str]]
) -> None:
    ids = fill(metadata, account, receiver.url)
    first = start()
    until(lambda: len(receiver.came) == TRIES)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    with metadata.begin() as connection:  # as if 90 seconds had passed
        connection.execute(update(table).values(lease_until=table.c.lease_until - round(LEASE_SECONDS * 1_000_000)))
    start()
    start()
    until(lambda: len(receiver.came) == 2 * TRIES)
    time.sleep(0.5)
    assert sorted(receiver.came) == sorted(ids * 2), "of two processes that look, one takes each"
    receiver.free.set()
    until(lambda: states(metadata) == [("acknowledged", 2)] * TRIES)
