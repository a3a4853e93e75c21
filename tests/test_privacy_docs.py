"""docs/guides/privacy.md: its examples run as they stand, in their order."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from airtally.erasure.person import KINDS
from airtally.streams import STREAMS
from fixtures.native import Native
from fixtures.program import PROGRAM, run
from fixtures.signage import until

PAGE = (Path(__file__).parents[1] / "docs/guides/privacy.md").read_text()
SHELL = re.findall(r"```sh\n(.+?)```", PAGE, re.DOTALL)
COMMANDS = [each for each in SHELL if each.startswith("airtally")]
REQUESTS = [each for each in SHELL if each.startswith("curl")]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    run(home, "account", "create", "--name", "Acme")
    for stream, row in (
        ("applications", {"application": "A-1"}),
        ("devices", {"application": "A-1", "hwid": "d1", "user_id": "ann", "email": "Ann@Example.org"}),
        ("app_events", {"application": "A-1", "event": "e", "time": "2026-11-01T10:00:00Z", "hwid": "d1"}),
    ):
        file = tmp_path / f"{stream}.ndjson"
        file.write_text(json.dumps(row))
        run(home, "ingest", stream, file, "--account", "acme")
    return home


def ran(script: str, **more: str) -> str:
    environment = os.environ | {"PATH": f"{PROGRAM.parent}:{os.environ['PATH']}"} | more
    done = subprocess.run(
        ["bash", "-ec", script], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_commands_do_what_they_say(home: Path) -> None:
    preview, erase, export, account = COMMANDS
    env = {"AIRTALLY_HOME": str(home)}
    looked = ran(preview, **env)
    assert re.search(r"lake +devices +1 +0 +1", looked), looked
    assert re.search(r"lake +app_events +1 +0 +1", looked), looked
    erased = ran(erase, **env)
    assert re.search(r"lake +app_events +1 +1 +0", erased), erased
    assert "erasure 1: erased" in erased
    assert ran(preview, **env).split() == ["store", "part", "found", "erased", "remains", "why"]
    exported = ran(f"cd {home.parent}\n{export}", **env)
    assert re.search(r"applications/\S+parquet +1 ", exported), exported
    gone = ran(account, **env)
    assert "erasure 2: erased" in gone
    assert re.search(r"lake +applications +1 +1 +0", gone), gone


def test_the_requests_are_answered(start_server, opened) -> None:
    server = start_server()
    client = opened(Native(server, "acme", scopes=("admin",)))
    client.send("applications", [{"application": "A-1"}])
    client.send("devices", [{"application": "A-1", "hwid": "d1", "user_id": "ann"}])
    [script] = REQUESTS
    looked, asked, _ = (
        json.loads(each) for each in ran(script, URL=server.url, TOKEN=client.token).replace("}{", "}\n{").split("\n")
    )
    assert {"store": "lake", "part": "devices", "found": 1, "erased": 0, "remains": 1, "why": None} in looked[
        "findings"
    ]
    assert asked["id"] == 1
    until(lambda: client.http.get("/api/v1/erasures/1").json()["state"] == "erased", 60)


def test_every_kind_of_id_is_in_the_page() -> None:
    assert [kind for kind in KINDS if f"`{kind}`" not in PAGE] == []
    assert {column.identifies for stream in STREAMS.values() for column in stream.person_columns} == set(KINDS)
