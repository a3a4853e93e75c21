"""Everything of an account as files: all rows once, its metadata without secrets, its refused rows."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import delete

from airtally.database.tables import export_parts, exports
from fixtures.native import Native
from fixtures.program import run
from fixtures.signage import until


def filled(client: Native) -> None:
    client.send("applications", [{"application": f"A-{client.account.slug}"}])
    device = {"application": f"A-{client.account.slug}", "hwid": "d1", "last_update_time_utc": "2026-11-01T10:00:00Z"}
    client.send("devices", [device | {"user_id": "ann"}])
    client.send("devices", [device | {"user_id": "bob", "last_update_time_utc": "2026-11-01T11:00:00Z"}])
    event = {"application": f"A-{client.account.slug}", "event": "e", "time": "2026-11-01T10:00:00Z"}
    client.send("app_events", [event | {"id": name} for name in ("a", "b", "a")])
    client.send("app_events", [event | {"wrong": 1}])


def exported(client: Native) -> dict[str, Any]:
    made = client.http.post("/api/v1/account-exports", json={})
    assert made.status_code == 202, made.text
    where = made.headers["Location"]
    return until(lambda: (found := client.http.get(where).json())["state"] != "waiting" and found, 120)


@pytest.fixture
def server(start_server):
    return start_server()


@pytest.fixture
def acme(server, opened) -> Native:
    client = opened(Native(server, "acme", scopes=("admin",)))
    filled(client)
    return client


def test_all_of_an_account_is_exported(acme: Native, server, opened) -> None:
    found = exported(acme)
    assert found["state"] == "ready", found
    rows = {each["name"]: each for each in found["files"]}
    by_stream: dict[str, int] = {}
    for name, each in rows.items():
        if each["url"] is not None:
            content = httpx.get(each["url"]).content
            assert hashlib.sha256(content).hexdigest() == each["sha256"]
            stream = name.partition("/")[0]
            by_stream[stream] = by_stream.get(stream, 0) + pq.read_table(pa.BufferReader(content)).num_rows
    assert {name: count for name, count in by_stream.items() if count} == {
        "applications": 1,
        "devices": 2,
        "app_events": 2,
    }
    lines = _lines(acme, found, "metadata.ndjson")
    assert lines[0]["row"]["slug"] == "acme"
    assert {each["table"] for each in lines} >= {"accounts", "keys"}
    assert acme.token not in json.dumps(lines)
    assert not [name for each in lines for name in each["row"] if "hash" in name or "secret" in name]
    [refused] = _lines(acme, found, "quarantine.ndjson")
    assert refused["row"]["field"] == "wrong"
    other = opened(Native(server, "rival", scopes=("admin",)))
    assert other.http.get(f"/api/v1/account-exports/{found['id']}").status_code == 404


def _lines(client: Native, found: dict[str, Any], name: str) -> list[dict[str, Any]]:
    answer = client.http.get(f"/api/v1/account-exports/{found['id']}/files/{name}")
    assert answer.status_code == 200, answer.text
    [file] = [each for each in found["files"] if each["name"] == name]
    assert hashlib.sha256(answer.content).hexdigest() == file["sha256"]
    return [json.loads(line) for line in answer.text.splitlines()]


def test_one_at_a_time(acme: Native) -> None:
    first = acme.http.post("/api/v1/account-exports", json={})
    second = acme.http.post("/api/v1/account-exports", json={})
    assert (first.status_code, second.status_code) == (202, 409)


def test_an_erasure_takes_the_files_away(acme: Native) -> None:
    found = exported(acme)
    acme.http.post("/api/v1/erasures", json={"user_id": ["ann"]})
    until(lambda: acme.http.get("/api/v1/erasures").json()["items"][0]["state"] == "erased", 60)
    again = acme.http.get(f"/api/v1/account-exports/{found['id']}").json()
    assert {each["url"] for each in again["files"]} == {None}


def test_it_is_still_shown_when_the_exports_of_its_streams_are_forgotten(acme: Native, server) -> None:
    """Those of the streams and that of the account are forgotten in no order."""
    found = exported(acme)
    with server.services.store.begin() as connection:
        connection.execute(delete(export_parts))
        connection.execute(delete(exports))
    again = acme.http.get(f"/api/v1/account-exports/{found['id']}")
    assert again.status_code == 200, again.text
    assert {each["url"] for each in again.json()["files"]} == {None}


def test_the_command_fetches_all(tmp_path: Path) -> None:
    home = tmp_path / "home"
    run(home, "account", "create", "--name", "Acme")
    file = tmp_path / "a.ndjson"
    file.write_text('{"application":"A-1"}\n{"application":"A-2"}')
    run(home, "ingest", "applications", file, "--account", "acme")
    run(home, "account", "close", "acme")
    listed = json.loads(run(home, "account", "export", "acme", "--to", tmp_path / "out", "--json").stdout)
    tables = [each["file"] for each in listed if "/applications/" in each["file"]]
    assert sum(pq.read_table(each).num_rows for each in tables) == 2
    assert (tmp_path / "out/metadata.ndjson").exists()
    refused = run(home, "account", "export", "acme", "--to", tmp_path / "out", status=1)
    assert "is not empty" in refused.stderr
