"""docs/reference/webhooks-api.md: its examples run as they stand; its types and limits are those that the code has."""

from __future__ import annotations

import ipaddress
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from airtally.alarms import service
from airtally.kit.clock import MovableClock
from airtally.settings import Settings
from airtally.webhooks import deliveries, endpoints, messages, parts, queue
from airtally.webhooks.event_types import EVENT_TYPES
from airtally.webhooks.retry import STANDARD_WAITS
from fixtures.native import Native
from fixtures.receiver import receiver
from fixtures.server import LiveServer

__all__ = ["receiver"]

PAGE = (Path(__file__).parents[1] / "docs/reference/webhooks-api.md").read_text()
(SHELL,), (PYTHON,), (HANDLE,) = (
    re.findall(rf"```{kind}\n(.+?)```", PAGE, re.DOTALL) for kind in ("sh", "python", "python receiver")
)


@pytest.fixture
def environment(tmp_path, receiver):
    allowed = (ipaddress.ip_network("127.0.0.0/8"),)
    settings = Settings(home=tmp_path / "home", rate_limits=False, outgoing_allow=allowed)
    server = LiveServer(settings, MovableClock(time.time_ns() // 1000)).start()
    client = Native(server, "acme", scopes=("read", "admin"))
    yield {**os.environ, "URL": server.url, "TOKEN": client.token, "RECEIVER": receiver.url}
    client.http.close()
    server.stop()


def ran(command, environment):
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_examples_answer(environment, receiver):
    webhook, end = json.JSONDecoder().raw_decode(told := ran(["bash", "-ec", SHELL], environment))
    assert json.loads(told[end:])["state"] == "ok"
    assert ran([sys.executable, "-c", PYTHON], environment) == "ping 200\n"
    program: dict = {}
    exec(HANDLE, program)
    received = program["handle"](receiver.bodies[0], receiver.headers[0], webhook["secret"])
    assert received["type"] == "ping"


def test_the_types_are_those_of_the_code():
    told = dict(re.findall(r"^\| `([a-z]+(?:\.[a-z]+)?)` \| (an? [^|]+|the [^|]+) \|$", PAGE, re.MULTILINE))
    words = {name: each.doc[0].lower() + each.doc[1:].removesuffix(".") for name, each in EVENT_TYPES.items()}
    assert {name: told.get(name) for name in EVENT_TYPES} == words


def test_the_waits_are_those_of_the_code():
    (line,) = re.findall(r"it was tried ten times, over about three days: at once, after (.+) hours", PAGE)
    seconds, minutes, hours = re.fullmatch(r"(\d+) s, (.+) minutes, (.+)", line).groups()
    numbers = [[int(each) for each in re.findall(r"\d+", part)] for part in (seconds, minutes, hours)]
    told = [each * unit for part, unit in zip(numbers, (1, 60, 3600), strict=True) for each in part]
    assert told == list(STANDARD_WAITS)


def test_the_limits_are_those_of_the_code():
    told = dict(re.findall(r"^\| ([a-z ]+) \| ([0-9,]+) \|$", PAGE, re.MULTILINE))
    assert {name: int(number.replace(",", "")) for name, number in told.items()} == {
        "webhooks of an account": endpoints.MOST_ENDPOINTS,
        "test messages of a webhook that wait": deliveries.MOST_PINGS,
        "alarms of an account": service.MOST_ALARMS,
        "days that deliveries are kept": parts.MESSAGE_DAYS,
        "tries kept of a delivery": queue.MOST_TRIES,
        "bytes of a message": messages.MOST_BYTES,
    }
