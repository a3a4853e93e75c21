"""kill -9 of the server while it makes an export: the next one goes on after the last finished part, and nothing doubles."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from fixtures.killable import Killable, killable_home
from fixtures.program import run

ROWS, DAYS = 448_000, 28


@pytest.fixture
def server(tmp_path: Path):
    """A home with rows that are exported in the child process, a part for each day."""
    made = killable_home(tmp_path / "home", "--export-part-rows", "20000")
    with (tmp_path / "plays.ndjson").open("w") as file:
        for number in range(ROWS):
            at = f"2026-10-{1 + number % DAYS:02}T{number // 12 % 24:02}:00:00"
            file.write(
                f'{{"player_id": {number % 97}, "media_id": {number}, "played_at": "{at}", "id": "p{number}"}}\n'
            )
    run(tmp_path / "home", "ingest", "playlogs", tmp_path / "plays.ndjson", "--account", "acme")
    made.start()
    made.wait()
    yield made
    made.kill()


def api(server: Killable) -> httpx.Client:
    headers = {"Authorization": f"Bearer {server.token}"}
    return httpx.Client(base_url=f"{server.url}/api/v1", headers=headers, timeout=60)


def seen_until(server: Killable, export_id: int, wanted: Any) -> dict[str, Any]:
    """The export, as soon as it is as wanted."""
    deadline = time.monotonic() + 240
    with api(server) as client:
        while time.monotonic() < deadline:
            export = client.get(f"/exports/{export_id}").json()
            if wanted(export) or export["state"] in {"done", "failed"}:
                return export
            time.sleep(0.02)
    raise AssertionError("the export does not get on")


def check_rows(server: Killable, export: dict[str, Any]) -> None:
    """Each row once, in parts that are what is said of them."""
    found: list[int] = []
    with api(server) as client:
        parts = client.get(f"/exports/{export['id']}/parts", params={"limit": 1000}).json()["items"]
    for part in parts:
        content = httpx.get(part["url"], timeout=60).content
        assert (len(content), hashlib.sha256(content).hexdigest()) == (part["bytes"], part["sha256"])
        rows = [json.loads(line)["media_id"] for line in gzip.decompress(content).splitlines()]
        assert len(rows) == part["rows"]
        found += rows
    assert len(found) == export["rows"] == ROWS
    assert sorted(found) == list(range(ROWS))


def stored(tmp_path: Path, export_id: int) -> set[str]:
    folder = tmp_path / "home" / "files" / "exports" / "acme" / str(export_id)
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


def check_nothing_else_is_kept(tmp_path: Path, done: dict[str, Any]) -> None:
    """Of a server that died just after the export was done, what was pinned stays until the files expire."""
    names = {name for name in stored(tmp_path, done["id"]) if not name.startswith("pin")}
    assert len(names) == done["parts"], names
    deadline = time.monotonic() + 120
    while list((tmp_path / "home" / "staging").glob("export-*")) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert list((tmp_path / "home" / "staging").glob("export-*")) == []


def kill_while_it_is_made(server: Killable, tmp_path: Path, kills: int) -> None:
    chance = random.Random(kills)
    with api(server) as client:
        asked = {"rows": {"stream": "playlogs"}, "format": "ndjson"}
        export = client.post("/exports", json=asked).json()
    kept = 0
    for _ in range(kills):
        least = kept + chance.randrange(1, 5)
        before = seen_until(server, export["id"], lambda each, least=least: each["parts"] >= least)
        if before["state"] != "running":
            break
        server.kill()
        server.start()
        server.wait()
        after = seen_until(server, export["id"], lambda each: True)
        assert after["parts"] >= before["parts"], "finished parts were forgotten"
        assert after["data_through"] == before["data_through"], "another snapshot was taken"
        kept = after["parts"]
    done = seen_until(server, export["id"], lambda each: each["state"] == "done")
    assert done["state"] == "done", done
    check_rows(server, done)
    check_nothing_else_is_kept(tmp_path, done)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kills", [1, pytest.param(8, marks=pytest.mark.slow)])
def test_an_export_survives_kills(server: Killable, tmp_path: Path, kills: int) -> None:
    kill_while_it_is_made(server, tmp_path, kills)
