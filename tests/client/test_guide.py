"""docs/guides/client.md: its programs run as they stand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from airtally import client

PAGE = (Path(__file__).parents[2] / "docs/guides/client.md").read_text()
PROGRAMS = re.findall(r"```python\n(.+?)```", PAGE, re.DOTALL)
PRINTED = (
    "1000 accepted, 0 rejected\n{'player_id': 1, 'count': 1000}\n",
    "[{'player_id': 1, 'plays': 2}, {'player_id': 2, 'plays': 1}]\n",
    "[1000, 2]\n600 UTC\n400 UTC\n",
)


def test_its_programs_run(client_server, native):
    environment = {**os.environ, "URL": client_server.url, "TOKEN": native.token}
    for program, printed in zip(PROGRAMS, PRINTED, strict=True):
        ended = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False
        )
        assert (ended.stdout, ended.stderr) == (printed, "")


def test_all_errors_are_on_it():
    errors = [
        name
        for name in client.__all__
        if isinstance(getattr(client, name), type) and issubclass(getattr(client, name), client.AirtallyError)
    ]
    assert len(errors) > 10
    assert [name for name in errors if f"`{name}`" not in PAGE] == []
