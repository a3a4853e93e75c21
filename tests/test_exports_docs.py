"""docs/reference/exports-api.md: its examples run as they stand, and its limits are those that the code has."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from airtally.exports.expiry import LISTED_US
from airtally.exports.ledger import MAX_PARTS
from airtally.exports.service import SMALL_ROWS
from airtally.kit.clock import MovableClock
from airtally.kit.time import DAY_US
from airtally.settings import Settings
from fixtures.accounts import NOW_US
from fixtures.native import Native
from fixtures.server import LiveServer

PAGE = (Path(__file__).parents[1] / "docs/reference/exports-api.md").read_text()
SHELL, PYTHON = (re.findall(rf"```{kind}\n(.+?)```", PAGE, re.DOTALL) for kind in ("sh", "python"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("docs")


@pytest.fixture(scope="module")
def environment(folder):
    server = LiveServer(Settings(home=folder / "home", rate_limits=False), MovableClock(NOW_US)).start()
    client = Native(server, "acme")
    play = {"media_id": 8001, "duration_seconds": 7.5}
    plays = [play | {"player_id": n, "played_at": f"2026-11-01T0{n}:00:00"} for n in (1, 2, 3, 4, 5)]
    assert client.send("playlogs", plays).json()["accepted"] == 5
    yield {**os.environ, "URL": server.url, "TOKEN": client.token}
    client.http.close()
    server.stop()


def ran(command, environment, folder):
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_examples_run(environment, folder):
    asked, listed = SHELL
    created = json.loads(ran(["bash", "-ec", asked], environment, folder))
    assert (created["state"], created["format"], created["compression"]) == ("queued", "csv", "gzip")
    [program] = PYTHON
    told = ran([sys.executable, "-c", program], environment, folder)
    name = f"export-{created['id'] + 1}-0001.parquet"
    assert told == f"{name} 5 rows\n"
    assert pq.read_table(folder / name).schema.names == ["player_id", "played_at"]
    parts, _, status = ran(["bash", "-ec", listed], environment, folder).partition("\n")
    assert json.loads(parts)["items"][0]["name"] == name
    assert status == "204\n"


def test_the_limits_are_those_of_the_code():
    settings = Settings()
    told = dict(re.findall(r"^\| ([a-z', ]+) \| ([0-9][^|]*) \| [^|]*\|$", PAGE, re.MULTILINE))
    assert told == {
        "exports of an account under way": f"{settings.waiting_exports}",
        "bytes of an account's files": f"{settings.exports_max >> 30} GiB",
        "parts of an export": f"{MAX_PARTS:,}",
        "days that files are kept": f"{settings.export_days}",
        "life of a link": f"{settings.export_link_seconds / 3600:g} h",
        "rows of a part": f"{settings.export_part_rows:,}",
        "bytes of a part, about": f"{settings.export_part_bytes >> 20} MiB",
    }
    assert f"Exports of more than {SMALL_ROWS:,} rows" in PAGE
    assert f"until {LISTED_US // DAY_US} days after" in PAGE
