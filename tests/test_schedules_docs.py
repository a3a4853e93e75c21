"""docs/reference/schedules-api.md: its examples run as they stand, and its limits are those that the code has."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from airtally.kit.clock import MovableClock
from airtally.reports import requests
from airtally.schedules import expiry, service, states, wanted
from airtally.settings import Settings
from fixtures.accounts import NOW_US
from fixtures.native import Native
from fixtures.server import LiveServer

PAGE = (Path(__file__).parents[1] / "docs/reference/schedules-api.md").read_text()
(SHELL,), (PYTHON,) = (re.findall(rf"```{kind}\n(.+?)```", PAGE, re.DOTALL) for kind in ("sh", "python"))


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    home = tmp_path_factory.mktemp("docs") / "home"
    server = LiveServer(Settings(home=home, rate_limits=False), MovableClock(NOW_US)).start()
    client = Native(server, "acme", "America/Sao_Paulo", scopes=("write", "admin"))
    plays = [{"played_at": "2026-11-01T08:00:00", "player_id": n, "media_id": 8001} for n in (1, 2, 3)]
    assert client.send("playlogs", plays).json()["accepted"] == 3
    yield {**os.environ, "URL": server.url, "TOKEN": client.token}
    client.http.close()
    server.stop()


def ran(command, environment):
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_examples_answer(environment):
    assert '"next_slots":[{"slot":"2026-11-03T09:00:00.000000Z"' in ran(["bash", "-ec", SHELL], environment)
    assert ran([sys.executable, "-c", PYTHON], environment) == '"media_id","count"\n8001,3\n\n'


def test_the_limits_are_those_of_the_code():
    told = dict(re.findall(r"^\| ([a-z ]+) \| ([0-9,]+) \|$", PAGE, re.MULTILINE))
    assert {name: int(number.replace(",", "")) for name, number in told.items()} == {
        "schedules of an account": service.MOST_SCHEDULES,
        "runs of a schedule that were asked for and wait": service.MOST_ASKED,
        "endpoints and addresses of a schedule": wanted.MOST_RECIPIENTS,
        "seconds of jitter": service.MOST_JITTER,
        "missed slots that are looked at": states.MOST_WAITING,
        "days that runs are kept": expiry.RUN_DAYS,
        "runs kept of a schedule": expiry.MOST_RUNS,
        "days of a report": requests.MOST_DAYS,
    }
