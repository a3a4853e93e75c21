"""`airtally quarantine` as a program, on rows that a server refused."""

from __future__ import annotations

import base64
import json
import subprocess

import pytest

from airtally.ingest.decode import read_rows
from airtally.runtime import open_services
from airtally.services import Role
from airtally.settings import Settings
from airtally.streams import PLAYLOGS
from fixtures.migrated import migrated
from fixtures.program import PROGRAM, run

GOOD = b'{"player_id": 1, "media_id": 2, "played_at": "2026-10-01T08:00:00"}'
WRONG = b'{"player_id": "x", "media_id": 2, "played_at": "2026-10-01T08:00:00"}\n{"surprise": "\xc3\xa9"}\n\xff\n'


@pytest.fixture
def home(tmp_path):
    """With an entry of three wrong rows, and one of a row that is right by now."""
    services = open_services(migrated(Settings(home=tmp_path / "home")), role=Role.NONE)
    account = services.access.accounts.create("Acme", "acme")
    services.access.accounts.create("Rival", "rival")
    keep = services.intake.quarantine.keep
    errors = read_rows(PLAYLOGS, WRONG, "application/x-ndjson").errors
    keep(account, "playlogs", errors, source="http")
    keep(account, "playlogs", [type(errors[0])(7, "ip", "not an IPv4 address", GOOD)], source="plays.ndjson")
    services.close()
    return tmp_path / "home"


def test_an_entry_is_listed_shown_sent_again_and_dropped(home):
    account = ("--account", "acme")
    listed = json.loads(run(home, "quarantine", "list", *account, "--json").stdout)
    assert [(each["rows"], each["source"]) for each in listed] == [(1, "plays.ndjson"), (3, "http")]
    assert listed[1]["first_error"] == "line 1: player_id: expected integer, got string"
    mended, wrong = (each["id"] for each in listed)

    shown = json.loads(run(home, "quarantine", "show", wrong, *account, "--json").stdout)
    assert [(row["line"], row["field"]) for row in shown] == [(1, "player_id"), (2, "surprise"), (3, None)]
    assert base64.b64decode(shown[2]["raw"]) == b"\xff"

    assert json.loads(run(home, "quarantine", "resend", mended, *account, "--json").stdout) == {
        "accepted": 1,
        "rejected": 0,
    }
    assert "was sent again already" in run(home, "quarantine", "resend", mended, *account, status=1).stderr
    run(home, "quarantine", "drop", wrong, *account)
    (left,) = json.loads(run(home, "quarantine", "list", *account, "--json").stdout)
    assert (left["id"], left["resent"] is not None) == (mended, True)


def test_raw_rows_come_out_as_they_were_received(home):
    words = [PROGRAM, "--home", home, "quarantine", "show", "1", "--account", "acme", "--raw"]
    assert subprocess.run(words, capture_output=True, check=True).stdout == WRONG


@pytest.mark.parametrize("command", ["show", "resend", "drop"])
def test_another_accounts_entry_is_not_there(home, command):
    failed = run(home, "quarantine", command, 1, "--account", "rival", status=1)
    assert failed.stderr.startswith("airtally: There is no quarantine entry 1")
    assert failed.stdout == ""
