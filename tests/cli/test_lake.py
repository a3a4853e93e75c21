"""`airtally lake` against a real home."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from fixtures.storage import Storage


def run(storage: Storage, *words: str) -> Any:
    """What the command prints as JSON; a failing one's line."""
    environment = os.environ | {"AIRTALLY_HOME": str(storage.home), "AIRTALLY_RETAIN_PLAYLOGS": "30000"}
    program = [sys.executable, "-c", "from airtally.cli import main; main()", "lake", *words]
    ended = subprocess.run(program, env=environment, capture_output=True, text=True, check=False)
    return json.loads(ended.stdout) if ended.returncode == 0 else ended.stderr


def test_status_compact_and_expire(storage: Storage) -> None:
    for n in range(3):
        storage.add((n, "a", 0), (n, None, 0))
        storage.event_store.flush()
    (before,) = run(storage, "status", "--json")
    assert (before["stream"], before["rows"], before["files"], before["uncompacted_files"]) == ("playlogs", 6, 3, 3)
    assert before["warnings"] == []
    assert run(storage, "compact", "--json") == [{"stream": "playlogs", "days_rewritten": 1}]
    (after,) = run(storage, "status", "--json")
    assert (after["rows"], after["files"], after["uncompacted_files"]) == (4, 1, 0)
    assert run(storage, "expire", "--stream", "playlogs", "--json") == [{"stream": "playlogs", "rows_removed": 0}]
    assert "There is no stream 'nope'" in run(storage, "compact", "--stream", "nope")
