"""The commands, called in the test's process."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from airtally import cli
from fixtures.storage import storage

__all__ = ["run", "storage"]

Run = Callable[..., Any]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], database_url: str, tmp_path: Path) -> Run:
    """`run("account list")` gives what the command prints as JSON; a failing one gives its line.

    `run.warned` is what the last one that did not fail has said besides.
    """
    monkeypatch.setenv("AIRTALLY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("AIRTALLY_DATABASE", database_url)

    def call(line: str, *more: str, stdin: str = "", as_json: bool = True) -> Any:
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        monkeypatch.setattr(sys, "argv", ["airtally", *line.split(), *more, *(["--json"] if as_json else [])])
        try:
            with patch.dict(os.environ):
                cli.main()
        except SystemExit as end:
            if end.code not in {None, 0}:
                return capsys.readouterr().err.strip()
        out, call.warned = capsys.readouterr()
        return json.loads(out) if as_json else out

    return call
