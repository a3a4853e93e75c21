"""The demo as a newcomer meets it: started, and its printed commands pasted into a shell."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from benchmarks.server import free_port

from airtally.demo.calls import LONGEST

AIRTALLY = Path(sys.executable).with_name("airtally")
needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


@dataclass
class Running:
    words: str
    process: subprocess.Popen[bytes]
    home: Path

    def command(self, says: str) -> str:
        """The printed lines under the words that begin so."""
        found = re.search(rf"^{re.escape(says)}.*\n\n((?:  .+\n)+)", self.words, re.MULTILINE)
        assert found, self.words
        return textwrap.dedent(found[1])

    @property
    def commands(self) -> list[str]:
        """All of them."""
        printed = self.words[self.words.index("Try, in another terminal:") :]
        return [textwrap.dedent(each) for each in re.findall(r"\n\n((?:  .+\n)+)", printed)]

    def told(self, name: str) -> list[str]:
        """What the words say after a name, for each account."""
        return re.findall(rf"^  {name} +(\S+)", self.words, re.MULTILINE)


@contextmanager
def running(home: Path, log: Path) -> Iterator[Running]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRTALLY_")}
    port = free_port()
    with log.open("wb") as out:
        process = subprocess.Popen(
            [AIRTALLY, "demo", "--rows", "30000", "--days", "9", "--port", str(port)],
            env=environment | {"AIRTALLY_HOME": str(home), "AIRTALLY_RATE_LIMITS": "off"},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_until_ready(process, port, log)
            yield Running(log.read_text(), process, home)
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(120) in {0, -signal.SIGTERM}, log.read_text()[-2000:]


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    for _ in range(600):
        assert process.poll() is None, log.read_text()[-2000:]
        asked = subprocess.run(["curl", "-sf", f"http://127.0.0.1:{port}/readyz"], capture_output=True, check=False)
        if asked.returncode == 0:
            return
        time.sleep(0.1)
    raise AssertionError(log.read_text()[-2000:])


def shell(command: str, program: str = "bash") -> bytes:
    """Run as pasted, in a folder that has nothing to do with the demo."""
    return subprocess.run([program, "-c", command], capture_output=True, check=True, cwd="/").stdout


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("printed") / "demo"


@pytest.fixture(scope="module")
def first(home: Path) -> Iterator[Running]:
    with running(home, home.with_suffix(".first.log")) as started:
        yield started


@needs_curl
def test_fouryousee_s_report_is_asked_for_and_fetched(first: Running) -> None:
    assert json.loads(shell(first.command("4YouSee: ask")))["status"] == "waiting"
    rows = [json.loads(line) for line in shell(first.command("4YouSee: fetch")).splitlines()]
    assert len(rows) == 10
    assert {row["account"] for row in rows} == {"acme-1A2B3C"}


@needs_curl
def test_the_calls_that_wait_end_also_when_there_is_nobody(first: Running) -> None:
    """With the server gone, and with an answer that is a refusal."""
    address = re.search(r"http://127.0.0.1:\d+", first.words)
    assert address
    for says in ("4YouSee: fetch", "Pushwoosh:"):
        source, *lines = first.command(says).splitlines()
        for wrong in (
            f"url=http://127.0.0.1:{free_port()}",
            "fouryousee='Secret-Token: none'; auth='\"auth\":\"none\"'",
        ):
            ended = subprocess.run(
                ["bash", "-c", "\n".join([source, wrong, *lines])], capture_output=True, check=False, timeout=60
            )
            assert b'"account"' not in ended.stdout


def test_each_line_can_be_read(first: Running) -> None:
    assert len(first.commands) == 8
    room = max(len(str(first.home.absolute())) - 30, 0)  # a test's home lies deep
    for command in first.commands:
        source, *lines = command.splitlines()
        assert len(f"  {source}") <= LONGEST + room
        assert [line for line in lines if len(f"  {line}") > LONGEST] == []
    assert (first.home / "calls.sh").stat().st_mode & 0o077 == 0


@needs_curl
@pytest.mark.parametrize("program", ["sh", "bash", "dash", "zsh"])
def test_every_call_runs_by_itself_in_any_shell(first: Running, program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    assert [command for command in first.commands if not shell(command, program).strip()] == []


@needs_curl
def test_tapjoy_s_token_opens_the_insights_of_yesterday(first: Running) -> None:
    [(_, answer)] = json.loads(shell(first.command("Tapjoy:")))["data"].items()
    assert answer["metadata"]["name"] == "Harbour Tycoon - launch"
    assert answer["rel"]["link"].endswith("/insights")
    of_us = answer["insights"]["US"]
    assert of_us["global_renders"][0][1] > 0 >= of_us["installs_spend"][0][1]


@needs_curl
def test_scaleengine_takes_the_signature_made_by_openssl(first: Running) -> None:
    answer = json.loads(shell(first.command("ScaleEngine:")))
    assert answer["message"] == "Found viewers"
    assert {row["app"] for row in answer["data"]} == {"acme-live"}
    assert max(row["viewer_count_sum"] for row in answer["data"]) > 0


@needs_curl
def test_slate_lists_its_accounts_and_a_file_that_can_be_fetched(first: Running) -> None:
    accounts = json.loads(shell(first.command("Slate: the accounts")))
    assert [account["name"] for account in accounts["data"]] == ["Acme Out of Home"]
    header, *lines = shell(first.command("Slate: the first file")).decode().splitlines()
    assert header.startswith("subscription_event_id,subscription_event_type,")
    assert len(lines) == 2


@needs_curl
def test_pushwoosh_counts_events_by_the_hour(first: Running) -> None:
    answer = json.loads(shell(first.command("Pushwoosh:")))
    assert (answer["status_code"], len(answer["response"])) == (200, 24)
    assert sum(hour["count"] for hour in answer["response"]) > 0


@needs_curl
def test_a_play_of_one_s_own_is_taken(first: Running) -> None:
    assert json.loads(shell(first.command("Send a play"))) == {"accepted": 1, "rejected": 0, "errors": []}


def sign_in_link(started: Running) -> str:
    found = re.search(
        r"^Open the console, signed in .*\n\n  (http://\S+/sign-in\?token=\S+)$", started.words, re.MULTILINE
    )
    assert found, started.words
    return found[1]


def signed_in(address: str, link: str) -> str | None:
    """Where the link's button leads in the end, on the server at the address; None for a link that has none."""
    with httpx.Client(base_url=address) as browser:
        page = browser.get(httpx.URL(link).raw_path.decode())
        if page.status_code == 404:
            return None
        form = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.text))
        entered = browser.post("/sign-in", data=form)
        assert browser.get(entered.headers["location"]).status_code == 200
        return str(entered.headers["location"])


@needs_curl
def test_a_second_start_goes_on_with_the_same_home(tmp_path: Path) -> None:
    home = tmp_path / "demo"
    with running(home, tmp_path / "first.log") as first:
        assert json.loads(shell(first.command("4YouSee: ask")))["id"]
    with running(home, tmp_path / "second.log") as second:
        [former, link] = map(sign_in_link, (first, second))
        address, _, _ = link.partition("/sign-in")
        assert signed_in(address, former) is None, "the link of the latest start is the one that works"
        assert signed_in(address, link) == "/accounts/acme-1A2B3C/overview"
        for name in ("4YouSee token", "Tapjoy key", "Pushwoosh auth", "native key"):
            assert second.told(name) == first.told(name)
            assert len(set(second.told(name))) == 2
        asked = [f"curl -s -H 'Secret-Token: {token}' {address}/v1/reports" for token in second.told("4YouSee token")]
        assert [json.loads(shell(each))["total"] for each in asked] == [5, 0], "those of its history, and one more"


def test_a_home_in_use_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "lake").mkdir()
    environment = os.environ | {"AIRTALLY_HOME": str(tmp_path)}
    done = subprocess.run([AIRTALLY, "demo"], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"airtally: The folder {tmp_path} is not empty and was not made by `airtally demo`")
    assert done.stderr.count("\n") == 1
