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
from airtally.accounts.permissions import UserRole
from airtally.kit import logs
from fixtures.storage import storage

__all__ = ["run", "storage"]

Run = Callable[..., Any]
PASSWORD = "correct horse battery"


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


@pytest.fixture
def site(run: Run, start_server: Callable[..., Any]) -> Any:
    """A server on the home that `run` has; `site("key list")` runs a command on it from elsewhere, as an operator."""
    logs.configure("error")  # the server is in this process, whose output is read
    server = start_server(database=os.environ["AIRTALLY_DATABASE"])
    run("account create --name Acme")
    access = server.services.access
    acme = access.accounts.by_slug("acme")
    user = access.users.create(
        acme, username="op", name="Op", email="op@example.org", password=PASSWORD, role=UserRole.OPERATOR
    )
    token = access.keys.create(acme, "native", user=user).credentials["token"]

    def call(line: str, *more: str, token: str = token, **options: Any) -> Any:
        return run(f"--url {server.url} --token {token} {line}", *more, **options)

    call.url = server.url  # type: ignore[attr-defined]
    return call
