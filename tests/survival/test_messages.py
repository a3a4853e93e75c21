"""kill -9 between the receiver's answer and its record: the message comes again under the same webhook-id."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airtally.accounts.accounts import Account
from airtally.accounts.secrets import Secrets
from airtally.database.store import MetadataStore
from airtally.kit.clock import SystemClock
from airtally.webhooks.deliveries import MessageDeliveries
from airtally.webhooks.endpoints import Endpoints
from airtally.webhooks.messages import Messages
from fixtures.receiver import Receiver, receiver
from fixtures.webhooks import LOOPBACK, until

__all__ = ["receiver"]

KEY = "a secret key that only the tests know"
COUNT = 6
#: A process that sends what is due; told to "die", it kills itself at the first outcome that it is about to record.
PROGRAM = f"""
import os, signal, sys
from ipaddress import ip_network
from pathlib import Path
from airtally.accounts.secrets import Secrets
from airtally.database.processes import ThisProcess
from airtally.database.store import MetadataStore
from airtally.kit.clock import SystemClock
from airtally.kit.faults import Faults
from airtally.kit.outgoing import Outgoing
from airtally.webhooks.health import EndpointHealth
from airtally.webhooks.messages import Messages
from airtally.webhooks.queue import MessageQueue
from airtally.webhooks.sender import WebhookLoop

class Dying(Faults):
    def reach(self, point):
        if point == "message.note" and "die" in sys.argv:
            os.kill(os.getpid(), signal.SIGKILL)

process = ThisProcess(Path(sys.argv[2]))
store, clock = MetadataStore.open(sys.argv[1]), SystemClock()
health = EndpointHealth(Messages(store, clock, mails=False), days=5)
queue = MessageQueue(store, clock, Secrets(b"{KEY}"), health, owner=process.id, waits=(5.0, 5.0))
queue.release_gone(process.is_gone)
WebhookLoop(queue, Outgoing((ip_network("127.0.0.0/8"),)), clock, faults=Dying(), poll_seconds=0.05).start()
print(process.id, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def start(database_url: str, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []

    def process(*more: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", PROGRAM, database_url, str(tmp_path / "alive"), *more]
        made = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(made)
        return made

    yield process
    for each in started:
        each.kill()
        each.communicate()


def test_what_was_sent_by_a_killed_process_is_sent_again_as_the_same_message(
    metadata: MetadataStore, account: Account, receiver: Receiver, start: Callable[..., subprocess.Popen[str]]
) -> None:
    clock = SystemClock()
    messages = Messages(metadata, clock, mails=False)
    deliveries = MessageDeliveries(metadata, clock, messages)
    Endpoints(metadata, clock, Secrets(KEY.encode()), LOOPBACK).create(account, receiver.url)
    for number in range(COUNT):
        with metadata.begin() as connection:
            messages.enqueue(connection, account, "ping", {"number": number}, f"ping {number}")
    killed = start("die")
    assert killed.wait(120) == -signal.SIGKILL
    assert {each.state for each in deliveries.listed(account)} == {"sending"}
    start()
    start()
    until(lambda: {each.state for each in deliveries.listed(account)} == {"delivered"})
    assert [each.attempts for each in deliveries.listed(account)] == [1] * COUNT
    numbers: dict[str, set[int]] = {}
    for headers, body in zip(receiver.headers, receiver.bodies, strict=True):
        numbers.setdefault(headers["webhook-id"], set()).add(json.loads(body)["data"]["number"])
    assert sorted(numbers.values(), key=min) == [{number} for number in range(COUNT)]
    assert COUNT < len(receiver.bodies) <= 2 * COUNT
