"""`airtally erase` killed with kill -9 at random moments; a worker does what the killed ones left, beside a new one."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from fixtures.program import PROGRAM, run
from fixtures.signage import until

KILLS = 4
DAYS = 12
ROWS = 6000


@pytest.mark.slow
def test_a_killed_command_is_done_by_the_next(tmp_path: Path) -> None:
    home, chance = tmp_path / "home", random.Random(7)
    run(home, "account", "create", "--name", "Acme")
    application = tmp_path / "a.ndjson"
    application.write_text('{"application":"A-1"}')
    run(home, "ingest", "applications", application, "--account", "acme")
    events = tmp_path / "e.ndjson"
    rows = [
        {"application": "A-1", "event": "e", "time": f"2026-11-{1 + n % DAYS:02d}T10:00:00Z", "user_id": f"u{n % 5}"}
        for n in range(ROWS)
    ]
    events.write_text("\n".join(map(json.dumps, rows)))
    run(home, "ingest", "app_events", events, "--account", "acme")
    for _ in range(KILLS):
        erase = subprocess.Popen(
            [PROGRAM, "--home", home, "erase", "--account", "acme", "--user-id", "u1"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(chance.uniform(1.0, 4.0))
        erase.send_signal(signal.SIGKILL)
        erase.wait()
    worker = subprocess.Popen([PROGRAM, "--home", home, "worker"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        run(home, "erase", "--account", "acme", "--user-id", "u1")
        erasures = until(lambda: ended(home), 180)
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.wait()
    findings = [finding for each in erasures for finding in shown(home, each["id"])["findings"]]
    assert sum(each["erased"] for each in findings if each["part"] == "app_events") == ROWS // 5
    assert json.loads(run(home, "erase", "--account", "acme", "--user-id", "u1", "--preview", "--json").stdout) == []
    [status] = json.loads(run(home, "lake", "status", "--stream", "app_events", "--json").stdout)
    assert status["rows"] == ROWS - ROWS // 5


def ended(home: Path) -> list[dict[str, Any]]:
    """The erasures, once none is under way; nothing before."""
    found = json.loads(run(home, "erase", "list", "--account", "acme", "--json").stdout)
    return found if all(each["state"] in {"erased", "done"} for each in found) else []


def shown(home: Path, erasure: int) -> dict[str, Any]:
    return json.loads(run(home, "erase", "show", erasure, "--account", "acme", "--json").stdout)
