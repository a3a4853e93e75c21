"""`airtally ingest` as a program: started, killed, started again."""

from __future__ import annotations

import gzip
import json
import signal
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airtally.query.question import Metric, Question
from airtally.runtime import open_services
from airtally.services import Role
from airtally.settings import Settings
from airtally.streams import PLAYLOGS
from fixtures.migrated import migrated
from fixtures.program import run


@pytest.fixture
def home(tmp_path):
    services = open_services(migrated(Settings(home=tmp_path / "home")), role=Role.NONE)
    services.access.accounts.create("Acme", "acme")
    services.close()
    return tmp_path / "home"


def count(home, slug="acme"):
    services = open_services(migrated(Settings(home=home)), role=Role.NONE)
    try:
        return services.queries.answer(Question(PLAYLOGS, slug, (Metric("n"),))).table["n"][0].as_py()
    finally:
        services.close()


def line(number, **more):
    row = {"player_id": number % 50, "media_id": number, "played_at": f"2026-10-01T{number % 24:02}:00:00"} | more
    return json.dumps(row).encode() + b"\n"


def test_files_of_several_kinds_once(home, tmp_path):
    plain, packed, table = tmp_path / "a.ndjson", tmp_path / "b.ndjson.gz", tmp_path / "c.csv"
    plain.write_bytes(line(1) + line(2) + b'{"player_id": "x"}\n')
    packed.write_bytes(gzip.compress(line(3)))
    table.write_text("player_id,media_id,played_at\n4,4,2026-10-01T08:00:00\n")
    words = ("ingest", "playlogs", plain, packed, table, "--account", "acme", "--json")
    first = run(home, *words, status=1)
    assert [(each["accepted"], each["rejected"]) for each in json.loads(first.stdout)] == [(2, 1), (1, 0), (1, 0)]
    assert "`airtally quarantine list`" in first.stderr
    again = run(home, *words)
    assert [(each["accepted"], each["rejected"]) for each in json.loads(again.stdout)] == [(0, 0)] * 3
    assert count(home) == 4
    assert run(home, *words[:3], "--account", "acme", "--again", status=1).stdout == "", (
        "what is for people goes to stderr"
    )
    assert count(home) == 6


def test_an_open_quote_costs_one_row_and_is_told_by_the_status(home, tmp_path):
    table = tmp_path / "plays.csv"
    row = "1,2,2026-10-01T08:00:00\n"
    table.write_text("player_id,media_id,played_at\n" + row * 9 + '"' + row + row * 990)
    loaded = run(home, "ingest", "playlogs", table, "--account", "acme", "--json", status=1)
    assert [(each["accepted"], each["rejected"]) for each in json.loads(loaded.stdout)] == [(999, 1)]
    (entry,) = json.loads(run(home, "quarantine", "list", "--account", "acme", "--json").stdout)
    assert entry["first_error"] == "line 11: row: not CSV: a quote is opened and not closed"
    assert count(home) == 999


def test_a_number_that_json_does_not_have_costs_its_row(home, tmp_path):
    table = pa.table({"hwid": ["a", "b"], "tag": ["score"] * 2, "value": [float("nan"), 1.5]})
    pq.write_table(table, tmp_path / "tags.parquet")
    words = ("ingest", "device_tags", tmp_path / "tags.parquet", "--account", "acme", "--json")
    loaded = run(home, *words, status=1)
    assert [(each["accepted"], each["rejected"]) for each in json.loads(loaded.stdout)] == [(1, 1)]
    (entry,) = json.loads(run(home, "quarantine", "list", "--account", "acme", "--json").stdout)
    assert entry["first_error"] == "line 1: value: number out of range"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("nosuch", "a.ndjson", "--account", "acme"), "There is no stream 'nosuch'"),
        (("playlogs", "a.ndjson", "--account", "nobody"), "There is no account 'nobody'"),
        (("playlogs", "nowhere.ndjson", "--account", "acme"), "nowhere.ndjson: No such file or directory"),
    ],
)
def test_a_mistake_is_one_clear_line(home, words, says):
    failed = run(home, "ingest", *words, status=1)
    assert f"airtally: {says}" in failed.stderr
    assert "Traceback" not in failed.stderr


#: The program, sent a signal by itself as its third commit begins: from outside the moment could be missed.
STOPPED = """
import os, sys
from airtally.cli import main
from airtally.kit.faults import Faults

def reach(self, point, seen=[]):
    seen.append(point)
    if seen.count("lake.flush") == 3:
        os.kill(os.getpid(), number)

number = int(sys.argv.pop(1))
Faults.reach = reach
main()
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_was_stopped_goes_on(home, tmp_path, number):
    """Stopped somewhere in the middle: after the second run each row is there once."""
    path = tmp_path / "many.ndjson"
    rows = 1_000_000
    block = b"".join(line(number) for number in range(1000))
    path.write_bytes(block * (rows // 1000) + line(1, ip="nowhere"))
    words = ["ingest", "playlogs", path, "--account", "acme", "--json"]
    stopped = subprocess.run(
        [sys.executable, "-c", STOPPED, str(int(number)), "--home", home, *words], capture_output=True, check=False
    )
    assert stopped.returncode == (-number if number == signal.SIGKILL else 130)
    assert 0 < count(home) < rows
    (result,) = json.loads(run(home, *words, status=1).stdout)
    assert result["position"] == path.stat().st_size
    assert count(home) == rows
    entries = json.loads(run(home, "quarantine", "list", "--account", "acme", "--json").stdout)
    assert [entry["rows"] for entry in entries] == [1]
