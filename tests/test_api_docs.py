"""docs/reference/api.md: its examples run as they stand, and its limits are those that the code has."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from airtally.accounts import keys, request_keys, users
from airtally.api import operation, pages
from airtally.api.resources import tokens
from airtally.kit.time import HOUR_US
from airtally.settings import Settings
from fixtures.native import Native
from fixtures.server import LiveServer

PAGE = (Path(__file__).parents[1] / "docs/reference/api.md").read_text()
SHELL, PYTHON = (re.findall(rf"```{kind}\n(.+?)```", PAGE, re.DOTALL) for kind in ("sh", "python"))


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    server = LiveServer(Settings(home=tmp_path_factory.mktemp("docs") / "home")).start()
    client = Native(server, "acme", scopes=("admin",))
    password = "correct horse battery"
    server.services.access.users.create(
        client.account, username="ana", name="Ana", email="ana@example.org", password=password
    )
    server.services.access.keys.create(client.account, "fouryousee")
    yield {**os.environ, "URL": server.url, "TOKEN": client.token, "USERNAME": "ana", "PASSWORD": password}
    client.http.close()
    server.stop()


def ran(command, environment):
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_commands_answer(environment):
    caller, token = (ran(["bash", "-ec", each], environment) for each in SHELL)
    assert '"account":"acme","permissions":["admin","read","write"]' in caller
    assert '"token":"airtally_' in token


def test_the_program_answers(environment):
    printed = ran([sys.executable, "-c", PYTHON[0]], environment)
    assert [line.split()[1:] for line in printed.splitlines()][:2] == [["native", "active"], ["fouryousee", "active"]]


def test_the_limits_are_those_of_the_code():
    told = dict(re.findall(r"^\| (.+?) \| ([0-9,]+) \|$", PAGE, re.MULTILINE))
    assert {name: int(number.replace(",", "")) for name, number in told.items()} == {
        "calls of a key in a minute, batches of rows not counted": Settings().calls_per_minute,
        "items of a page, if `limit` is left out": pages.DEFAULT_LIMIT,
        "items of a page": pages.MAX_LIMIT,
        "bytes of a body, where an operation says nothing else": operation.MAX_BODY,
        "characters of an `Idempotency-Key`": request_keys.MAX_KEY_BYTES,
        "hours that an `Idempotency-Key` is kept": request_keys.KEPT_US // HOUR_US,
        "days that a token lasts": tokens.MAX_DAYS,
        "valid tokens of a user": keys.MOST_TOKENS,
        "valid keys of an account": keys.MOST_KEYS,
        "users of an account": users.MOST_USERS,
    }
