"""Commands on this machine may do everything; nobody who calls a server gets that by what the command sends."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import httpx
import pytest

import airtally
from airtally.kit import logs
from fixtures.postgres import on_sqlite

SOURCES = Path(airtally.__file__).parent


def calls_of(path, name):
    """The calls of a function in a source file, with the number of their arguments."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [len(call.args) + len(call.keywords) for call in calls if getattr(call.func, "id", "") == name]


def test_only_the_command_line_serves_without_keys():
    given = {str(path.relative_to(SOURCES)): calls_of(path, "routes_of") for path in SOURCES.rglob("*.py")}
    assert {name: counts for name, counts in given.items() if counts} == {"app.py": [2], "cli/home.py": [3]}
    command = [path for path in SOURCES.rglob("*.py") if "CommandCallers" in path.read_text(encoding="utf-8")]
    assert command == [SOURCES / "cli/home.py"], "no other module can import it: the layers of pyproject.toml"


@on_sqlite
@pytest.mark.parametrize("headers", [{"Authorization": "Bearer command"}, {"Airtally-Account": "acme"}], ids=["b", "a"])
def test_what_a_command_sends_opens_no_server(run, start_server, headers):
    logs.configure("error")
    server = start_server(database=os.environ["AIRTALLY_DATABASE"])
    run("account create --name Acme")
    with httpx.Client(base_url=server.url, headers=headers | {"Host": "home"}) as client:
        for method, path in (("GET", "accounts"), ("POST", "keys"), ("DELETE", "accounts/acme"), ("GET", "audit")):
            assert client.request(method, f"/api/v1/{path}", json={}).status_code == 401


@on_sqlite
def test_the_audit_trail_names_who_ran_the_command(run):
    run("account create --name Acme")
    run("key create --account acme --for native --scope read")
    from airtally.cli.server import server

    with server("acme") as api:
        found = list(api.items("/audit"))
    assert [(each["action"], each["actor_kind"]) for each in found if each["action"] == "key.create"] == [
        ("key.create", "command")
    ]


@on_sqlite
def test_keys_and_users_of_a_closed_account_are_still_listed(run):
    run("account create --name Acme")
    run("key create --account acme --for native --scope read")
    run("account close acme")
    assert [each["account"] for each in run("key list")] == ["acme"]
    assert [each["account"] for each in run("key list --account acme")] == ["acme"]
    assert run("user list") == []
    assert "is closed" in run("key create --account acme --for native --scope read")


@on_sqlite
def test_an_unforeseen_failure_is_one_line_and_a_trace_on_standard_error(run, monkeypatch):
    from airtally.accounts.accounts import Accounts

    monkeypatch.setattr(Accounts, "all", lambda *_, **__: 1 / 0)
    assert "airtally: Internal error" in run("account list")
