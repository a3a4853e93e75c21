"""docs/reference/query-api.md: its examples run as they stand, and its limits are those that the code has."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from airtally.api.query import limits
from airtally.kit.clock import MovableClock
from airtally.query.question import MAX_BUCKETS
from airtally.settings import Settings
from fixtures.accounts import NOW_US
from fixtures.native import Native
from fixtures.server import LiveServer

PAGE = (Path(__file__).parents[1] / "docs/reference/query-api.md").read_text()
SHELL, PYTHON = (re.findall(rf"```{kind}\n(.+?)```", PAGE, re.DOTALL) for kind in ("sh", "python"))


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    server = LiveServer(
        Settings(home=tmp_path_factory.mktemp("docs") / "home", rate_limits=False), MovableClock(NOW_US)
    ).start()
    client = Native(server, "acme")
    play = {"media_id": 8001, "duration_seconds": 7.5}
    plays = [play | {"player_id": n, "played_at": f"2026-11-01T0{n}:00:00"} for n in (1, 2, 3, 4, 5)]
    sample = {"app": "live", "video_url": "v", "server": "s", "viewers": 40}
    samples = [sample | {"time": "2026-11-01T08:00:00Z"}, sample | {"time": "2026-11-01T08:01:00Z", "viewers": 43}]
    assert client.send("playlogs", plays).json()["accepted"] == 5
    assert client.send("viewer_samples", samples).json()["accepted"] == 2
    yield {**os.environ, "URL": server.url, "TOKEN": client.token}
    client.http.close()
    server.stop()


def ran(command, environment):
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_commands_answer(environment):
    first, link = (ran(["bash", "-ec", each], environment) for each in SHELL)
    assert '"rows":[{"time":"2026-11-01T00:00:00+05:30","app":"live","viewers":41.5}]' in first
    assert link.splitlines() == ['"player_id","count","seconds"', *(f"{n},1,7.5" for n in (1, 2, 3, 4, 5))]


def test_the_programs_answer(environment):
    pages, table = (ran([sys.executable, "-c", each], environment) for each in PYTHON)
    assert pages == "5 rows {'player_id': 1, 'media_id': 8001, 'count': 1}\n"
    assert "count_previous: int64" in table


def test_the_limits_are_those_of_the_code():
    told = dict(re.findall(r"^\| ([a-z `]+) \| ([0-9,]+) \|$", PAGE, re.MULTILINE))
    assert {name: int(number.replace(",", "")) for name, number in told.items()} == {
        "rows of an answer or a page": limits.MAX_ROWS,
        "intervals of time": MAX_BUCKETS,
        "metrics": limits.MAX_METRICS,
        "dimensions": limits.MAX_DIMENSIONS,
        "conditions of a filter": limits.MAX_CONDITIONS,
        "depth of a filter": limits.MAX_DEPTH,
        "characters of a pattern for `like`": limits.MAX_PATTERN,
        "characters of a name": limits.MAX_NAME,
        "bytes of a body": limits.MAX_BODY,
        "rows for exact distinct counts": limits.EXACT_DISTINCT_ROWS,
    }
