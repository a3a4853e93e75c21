"""Pipelines of dlt that load into streams: each row once, also when a run is killed and run again.

The rows have no ids, so that a row that was loaded twice is counted twice.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import dlt
import pyarrow as pa
import pytest
from dlt.pipeline.exceptions import PipelineStepFailed

from airtally.dlt import airtally
from fixtures.awkward import Cut, proxy
from fixtures.client_server import client_server, join, native
from fixtures.rest_source import rest_source
from fixtures.sent import plays
from fixtures.signage import until

__all__ = ["client_server", "join", "native"]  # fixtures
PIPELINE = Path(__file__).parent / "fixtures/plays_pipeline.py"
#: dlt and its libraries warn of their own future.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


@pytest.fixture(autouse=True)
def quiet(monkeypatch, tmp_path):
    """Nothing is told to dlt's makers, and no settings of this machine are read."""
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    monkeypatch.setenv("DLT_PROJECT_DIR", str(tmp_path))
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)


class Run:
    """The pipeline as a program; each run goes on from the state that the one before left."""

    def __init__(self, folder, source, native, *, batch_rows=100):
        self._words = (str(folder), source.url, native.token, str(batch_rows))

    def start(self, url):
        folder, source, token, rows = self._words
        return subprocess.Popen(
            [sys.executable, "-P", PIPELINE, folder, source, url, token, rows],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def to_its_end(self, url):
        with self.start(url) as process:
            output, _ = process.communicate(timeout=300)
        return process.returncode, output


def counted(native):
    (row,) = native.ask(stream="playlogs", metrics=["count", "distinct(media_id) as different"]).json()["rows"]
    assert row["count"] == row["different"], "none twice"
    return row["count"]


def test_a_source_with_increments_run_twice(tmp_path, client_server, native):
    with rest_source(plays(1000, first=1)) as source:
        run = Run(tmp_path / "state", source, native)
        assert run.to_its_end(client_server.url)[0] == 0
        assert counted(native) == 1000
        source.items += plays(300, first=1001)
        source.asked.clear()
        assert run.to_its_end(client_server.url)[0] == 0
        assert counted(native) == 1300
        assert set(source.asked) == {1000}, "the second run asked for what is new"
        assert run.to_its_end(client_server.url)[0] == 0
        assert counted(native) == 1300


@pytest.mark.parametrize("after", [*(pytest.param(n, marks=pytest.mark.slow) for n in (100, 1000)), 500])
def test_killed_in_the_middle_of_a_job(tmp_path, client_server, native, after):
    """Also once all rows are there, and dlt may not have noted it."""
    with rest_source(plays(1000, first=1)) as source, proxy(client_server.port, [Cut(late_seconds=0.2)]) as slow:
        run = Run(tmp_path / "state", source, native)
        with run.start(slow.url) as process:
            until(lambda: native.count() >= after)
            process.kill()
        assert after <= native.count() < max(1000, after + 1)
        source.items += plays(50, first=1001)
        for _ in range(2):  # the first ends what the killed one left
            assert run.to_its_end(client_server.url)[0] == 0
    assert counted(native) == 1050


def test_connections_cut_while_a_job_runs(tmp_path, client_server, native):
    cuts = [Cut(answered=0), Cut(sent=900), Cut(answered=100)]
    with rest_source(plays(1000, first=1)) as source, proxy(client_server.port, cuts) as cutting:
        assert Run(tmp_path / "state", source, native).to_its_end(cutting.url)[0] == 0
    assert cuts == []
    assert counted(native) == 1000


def pipeline(folder, server, native, **options):
    destination = airtally(**{"url": server.url, "token": native.token} | options)
    return dlt.pipeline("direct", destination=destination, pipelines_dir=str(folder), dataset_name="d")


def test_a_server_that_was_away_gets_the_rows_in_the_next_run(tmp_path, client_server, native):
    away = pipeline(tmp_path, client_server, native, url="http://127.0.0.1:1", patience=0.1)
    with pytest.raises(PipelineStepFailed):
        away.run(plays(10), table_name="playlogs")
    assert native.count() == 0
    pipeline(tmp_path, client_server, native).run()
    assert counted(native) == 10


def test_rows_that_the_stream_refuses(tmp_path, client_server, native, caplog):
    rows = [*plays(5, first=1), *plays(1, first=9, ip="none")]
    with pytest.raises(PipelineStepFailed, match=r"refused 1 of 6 rows.*row 5, ip: expected an IPv4 address"):
        pipeline(tmp_path / "a", client_server, native).run(rows, table_name="playlogs")
    assert counted(native) == 5
    pipeline(tmp_path / "b", client_server, native, refused="quarantine").run(
        [*plays(5, first=11), *plays(1, ip="none")], table_name="playlogs"
    )
    assert counted(native) == 10
    assert "refused 1 of 6 rows, which are in its quarantine" in caplog.text


@pytest.mark.parametrize(
    ("table", "options", "words"),
    [
        ("nosuch", {}, "There is no stream 'nosuch'"),
        ("playlogs", {"write_disposition": "replace"}, "a stream is never emptied"),
    ],
)
def test_what_cannot_be_loaded_fails_at_once(tmp_path, client_server, native, table, options, words):
    begun = time.monotonic()
    with pytest.raises(PipelineStepFailed, match=words):
        pipeline(tmp_path, client_server, native).run(plays(3), table_name=table, **options)
    assert time.monotonic() - begun < 60
    assert native.count() == 0


def test_a_changelog_and_times_with_an_offset(tmp_path, client_server, native):
    moment = "2026-10-01T08:00:00+02:00"
    players = [{"player_id": each, "name": f"Lobby {each}", "last_update_time_utc": moment} for each in range(20)]
    made = pipeline(tmp_path, client_server, native)
    for _ in range(2):
        made.run(players, table_name="players", write_disposition="merge")
    statement = "SELECT count(*) AS n, min(last_update_time_utc) AS t FROM players_versions"
    answer = native.http.post("/api/v1/sql", json={"sql": statement})
    assert answer.json()["rows"] == [{"n": 20, "t": "2026-10-01T06:00:00Z"}], "the second run brought equal rows"


def test_json_columns(tmp_path, client_server, native):
    """Nested values stay in their column: they are no tables of their own."""
    rows = [
        {
            "application": "A",
            "event": "seen",
            "hwid": f"h{n}",
            "time": "2026-10-01T08:00:00Z",
            "attributes": {"plan": n},
        }
        for n in range(30)
    ]
    pipeline(tmp_path, client_server, native).run(rows, table_name="app_events")
    found = native.ask(stream="app_events", dimensions=["attributes.plan"], order=["attributes.plan"])
    assert len(found.json()["rows"]) == 30, found.text


def test_tables_of_arrow(tmp_path, client_server, native):
    pipeline(tmp_path, client_server, native).run(pa.Table.from_pylist(plays(2000, first=1)), table_name="playlogs")
    assert counted(native) == 2000


def test_settings_of_dlt(tmp_path, client_server, native, monkeypatch):
    monkeypatch.setenv("DESTINATION__AIRTALLY__URL", client_server.url)
    monkeypatch.setenv("DESTINATION__AIRTALLY__TOKEN", native.token)
    dlt.pipeline("settings", destination=airtally(), pipelines_dir=str(tmp_path)).run(plays(3), table_name="playlogs")
    assert counted(native) == 3


def test_the_guides_program_runs(tmp_path, client_server, native):
    page = (Path(__file__).parents[1] / "docs/guides/dlt.md").read_text()
    (program,) = re.findall(r"```python\n(.+?)```", page, re.DOTALL)
    with rest_source(plays(10, first=1)) as source:
        environment = os.environ | {
            "SOURCE": source.url,
            "DESTINATION__AIRTALLY__URL": client_server.url,
            "DESTINATION__AIRTALLY__TOKEN": native.token,
        }
        ended = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False
        )
    assert ended.returncode == 0, ended.stderr
    assert counted(native) == 10
