"""The demo as a newcomer meets it: started, and its printed commands pasted into a shell."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from benchmarks.server import free_port

AIRTALLY = Path(sys.executable).with_name("airtally")
needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


@dataclass
class Running:
    words: str
    process: subprocess.Popen[bytes]

    def commands(self) -> list[str]:
        return re.findall(r"^  (curl .*)$", self.words, re.MULTILINE)


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
            yield Running(log.read_text(), process)
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) in {0, -signal.SIGTERM}, log.read_text()[-2000:]


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    for _ in range(600):
        assert process.poll() is None, log.read_text()[-2000:]
        asked = subprocess.run(["curl", "-sf", f"http://127.0.0.1:{port}/readyz"], capture_output=True, check=False)
        if asked.returncode == 0:
            return
        time.sleep(0.1)
    raise AssertionError(log.read_text()[-2000:])


def shell(command: str) -> bytes:
    return subprocess.run(["bash", "-c", command], capture_output=True, check=True).stdout


@needs_curl
def test_the_printed_commands_work_and_a_second_start_goes_on(tmp_path: Path) -> None:
    home = tmp_path / "demo"
    with running(home, tmp_path / "first.log") as first:
        ask, fetch, send = first.commands()
        assert json.loads(shell(ask))["status"] == "waiting"
        for _ in range(100):
            if lines := shell(fetch + " 2>/dev/null || true"):
                break
            time.sleep(0.2)
        rows = [json.loads(line) for line in lines.splitlines()]
        assert len(rows) == 10
        assert {row["account"] for row in rows} == {"acme-1A2B3C"}
        assert json.loads(shell(send)) == {"accepted": 1, "rejected": 0, "errors": []}
    with running(home, tmp_path / "second.log") as second:
        token = re.findall(r"4YouSee token  (\w{32})", second.words)
        assert re.findall(r"4YouSee token  (\w{32})", first.words) == token
        address = re.search(r"http://127.0.0.1:\d+", second.words)
        assert address
        reports = json.loads(shell(f"curl -s -H 'Secret-Token: {token[0]}' {address[0]}/v1/reports"))
        others = json.loads(shell(f"curl -s -H 'Secret-Token: {token[1]}' {address[0]}/v1/reports"))
        assert (reports["total"], others["total"]) == (1, 0)


def test_a_home_in_use_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "lake").mkdir()
    environment = os.environ | {"AIRTALLY_HOME": str(tmp_path)}
    done = subprocess.run([AIRTALLY, "demo"], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"airtally: {tmp_path} is not empty and was not made by `airtally demo`")
    assert done.stderr.count("\n") == 1
