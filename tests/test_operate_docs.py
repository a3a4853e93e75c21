"""docs/guides/operate.md: backup and restore on a server that takes rows meanwhile, and the commands for the night."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.conftest import run as command_line
from fixtures.killable import Killable, killable_home
from fixtures.load import DAY, Ledger, Sender
from fixtures.postgres import on_sqlite
from fixtures.program import PROGRAM, run

__all__ = ["command_line"]  # a fixture

PAGE = (Path(__file__).parents[1] / "docs/guides/operate.md").read_text()
BACKUP, BESIDE, INSTEAD = re.findall(
    r"```sh\n(.+?)```", PAGE.split("\n## Backup and restore")[1].split("\n## ")[0], re.DOTALL
)
NIGHT = PAGE.split("\n## When something is wrong")[1].split("\n### ")[0]


class Machine:
    """A server as the page has it, but for its places and its port, and threads that send it rows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "var/lib/airtally"
        self.home.parent.mkdir(parents=True)
        (folder / "srv/backup").mkdir(parents=True)
        self.server: Killable = killable_home(self.home)
        self.server.start()
        self.server.wait()
        self.ledger = Ledger()
        self.senders: list[Sender] = []

    def load(self) -> None:
        self.senders = [Sender(self.server.url, self.server.token, self.ledger, 5) for _ in range(2)]
        for each in self.senders:
            each.start()

    def quiet(self) -> None:
        for each in self.senders:
            each.stopped.set()
        for each in self.senders:
            each.join()

    def follow(self, block: str) -> list[str]:
        """What each line of the page prints; `systemctl` starts and stops the server."""
        said = []
        for line in block.strip().splitlines():
            here = line.partition("  #")[0].strip()
            if here == "systemctl stop airtally":
                self.server.kill()  # the worst of all stops
            elif here == "systemctl start airtally":
                self.server.start()
                self.server.wait()
            else:
                said.append(self._ran(here))
        return said

    def _ran(self, line: str) -> str:
        for there in ("/var/lib/", "/srv/backup/"):
            line = line.replace(there, f"{self.folder}{there}")
        line = line.replace("http://127.0.0.1:8080", self.server.url)
        environment = os.environ | {"PATH": f"{PROGRAM.parent}:{os.environ['PATH']}", "AIRTALLY_HOME": str(self.home)}
        ended = subprocess.run(
            ["bash", "-c", line], env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert ended.returncode == 0, (line, ended.stdout, ended.stderr)
        return ended.stdout

    def client(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.server.token}"}
        return httpx.Client(base_url=self.server.url, headers=headers, timeout=60)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    made = Machine(tmp_path_factory.mktemp("machine"))
    yield made
    made.quiet()
    made.server.kill()


def counted(client: httpx.Client) -> dict[int, int]:
    question = {"stream": "playlogs", "dimensions": ["media_id"], "limit": 100_000}
    answer = client.post("/api/v1/query", json=question)
    return {row["media_id"]: row["count"] for row in answer.raise_for_status().json()["rows"]}


def one_report(machine: Machine) -> dict[str, Any]:
    asked = ("--account", "acme", "--start-date", DAY, "--end-date", DAY, "--wait", "60", "--json")
    made: dict[str, Any] = json.loads(run(machine.home, "report", "create", *asked).stdout)
    assert made["rows"] > 0
    return made


@pytest.mark.slow
def test_a_backup_made_and_restored_by_the_page_has_every_acknowledged_row_once(machine) -> None:
    machine.load()
    while len(machine.ledger.acknowledged) < 20:
        assert machine.senders[0].is_alive()
    report = one_report(machine)
    with machine.ledger.lock:
        before = dict(machine.ledger.acknowledged)
    made, checked = machine.follow(BACKUP)
    machine.quiet()
    assert made == checked
    with machine.client() as client:
        file = client.get(f"/api/v1/reports/{report['id']}/file").raise_for_status().content
        assert Ledger(acknowledged=machine.ledger.acknowledged).wrong(counted(client)) == []
    machine.follow(BESIDE)
    assert machine.follow(INSTEAD)[-1].startswith('{"ready":true')
    later = {each: rows for each, rows in machine.ledger.acknowledged.items() if each not in before}
    with machine.client() as client:
        assert Ledger(acknowledged=before, unknown=later).wrong(counted(client)) == []
        assert client.get(f"/api/v1/reports/{report['id']}/file").raise_for_status().content == file
    assert (machine.home.parent / "airtally.before/metadata.sqlite").exists(), "what was there is put aside"


@on_sqlite
def test_the_commands_for_the_night_work_as_they_stand(command_line) -> None:
    command_line("account create --name Acme")
    lines = [each.removeprefix("airtally ") for each in re.findall(r"`(airtally [a-z][^`]+)`", NIGHT)]
    wanting = {each for each in lines if " ID" in each or each == "restore"}
    assert len(lines) > 12
    refused = [each for each in lines if each not in wanting and isinstance(command_line(each), str)]
    assert refused == []
    for each in wanting - {"restore"}:
        assert "There is no" in command_line(each.replace(" ID", " 987654"), as_json=False)


def test_every_symptom_has_a_command_and_says_what_it_shows() -> None:
    rows = [re.split(r"(?<!\\)\|", line) for line in NIGHT.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 12
    assert [row for row in rows if len(row) != 5 or not re.match(r" `[^`]+` $", row[2]) or len(row[3]) < 30] == []
