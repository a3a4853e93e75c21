"""A home is copied while its server takes rows, and another server goes on with the copy."""

from __future__ import annotations

import gzip
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from sqlalchemy import make_url

from airtally.backup.make import HomeBackup
from airtally.backup.manifest import LISTING
from airtally.backup.restore import HomeRestore
from airtally.kit.clock import SystemClock
from airtally.settings import Settings
from fixtures.load import Ledger, Sender
from fixtures.native import Native
from fixtures.server import LiveServer

AD_EVENT = {"ad_group_id": "g", "id": "e1", "time": "2026-11-20T10:00:00Z", "kind": "install", "country": "BR"}


@dataclass
class Busy:
    """A server with an account's rows, reports and keys, of which threads send more until `quiet`."""

    server: LiveServer
    ledger: Ledger = field(default_factory=Ledger)

    def __post_init__(self) -> None:
        self.native = Native(self.server, "acme", scopes=("read", "write", "admin"))
        self.senders = [Sender(self.server.url, self.native.token, self.ledger, 5) for _ in range(2)]
        for each in self.senders:
            each.start()

    def quiet(self) -> None:
        for each in self.senders:
            each.stopped.set()
            each.join()

    def acknowledged(self) -> dict[int, int]:
        with self.ledger.lock:
            return dict(self.ledger.acknowledged)


@pytest.fixture
def busy(start_server, opened) -> Iterator[Busy]:
    made = Busy(start_server(flush_seconds=0.3, late_flush_seconds=0.3))
    opened(made.native)
    yield made
    made.quiet()


def sent_once(native: Native, key: str) -> httpx.Response:
    return native.send(
        "playlogs", [{"player_id": 1, "media_id": 0, "played_at": "2026-10-01T07:00:00"}], **{"Idempotency-Key": key}
    )


def counted(client: httpx.Client) -> dict[int, int]:
    """The account's rows by batch, which is the media's id."""
    question = {"stream": "playlogs", "dimensions": ["media_id"], "limit": 100_000}
    return {row["media_id"]: row["count"] for row in client.post("/api/v1/query", json=question).json()["rows"]}


def restored(start_server, opened, backup: Path, place: Path, token: str) -> httpx.Client:
    HomeRestore(backup, Settings(home=place)).run()
    headers = {"Authorization": f"Bearer {token}"}
    return opened(httpx.Client(base_url=start_server(home=place).url, headers=headers, timeout=60))


def wrong(before: dict[int, int], after: dict[int, int], found: dict[int, int]) -> list[str]:
    """Batches acknowledged before are there once; of later ones each is there once, or not at all."""
    ledger = Ledger(acknowledged=before, unknown={each: rows for each, rows in after.items() if each not in before})
    return ledger.wrong(found)


def test_a_copy_made_under_load_has_all_that_was_acknowledged(busy, start_server, opened, tmp_path):
    native = busy.native
    assert native.send("ad_events", [AD_EVENT]).status_code == 200
    assert native.send("playlogs", [{"player_id": "x"}]).json()["rejected"] == 1
    assert sent_once(native, "once").json()["accepted"] == 1
    asked = {"start_date": "2026-10-01", "end_date": "2026-10-01"}
    report = native.ended_report(native.http.post("/api/v1/reports", json=asked).json()["id"])
    content = native.http.get(f"/api/v1/reports/{report['id']}/file").content
    before = busy.acknowledged()
    manifest = HomeBackup(busy.server.services.settings, tmp_path / "copy", SystemClock()).run()
    busy.quiet()
    busy.server.stop()
    client = restored(start_server, opened, tmp_path / "copy", tmp_path / "other", native.token)
    found = counted(client)
    assert found.pop(0) == 1
    assert len(before) > 10
    assert wrong(before, busy.acknowledged(), found) == []
    assert client.get(f"/api/v1/reports/{report['id']}/file").content == content
    assert len(gzip.decompress(content).splitlines()) == report["rows"] > 0
    assert len(client.get("/api/v1/quarantine").json()["items"]) == 1
    again = client.post(
        "/api/v1/streams/playlogs/events",
        json=[{"player_id": 1, "media_id": 0, "played_at": "2026-10-01T07:00:00"}],
        headers={"Idempotency-Key": "once"},
    )
    assert (again.status_code, counted(client)[0]) == (200, 1), "the copy knows the key and has its rows"
    question = {"stream": "ad_events", "dimensions": ["kind"]}
    assert client.post("/api/v1/query", json=question).json()["rows"] == [{"kind": "install", "count": 1}]
    assert manifest.files == len((tmp_path / "copy" / LISTING).read_text().splitlines())


def test_metadata_on_postgresql_are_dumped_between_buffers_and_lake(postgres, start_server, opened, tmp_path):
    """As the page says, with PostgreSQL's own programs."""
    url, other = postgres.new_database(), postgres.new_database()
    server = start_server(database=url, home=tmp_path / "home")
    native = opened(Native(server, "acme"))
    assert native.send("playlogs", [{"player_id": 1, "media_id": 5, "played_at": "2026-10-01T07:00:00"}]).is_success
    HomeBackup(server.services.settings, tmp_path / "copy", SystemClock()).run()
    server.stop()
    subprocess.run(["pg_restore", f"--dbname={other}", tmp_path / "copy/metadata.pgdump"], check=True)
    moved = server.services.settings.with_(home=tmp_path / "other", database=other)
    HomeRestore(tmp_path / "copy", moved).run()
    there = start_server(database=other, home=tmp_path / "other")
    headers = {"Authorization": f"Bearer {native.token}"}
    assert counted(opened(httpx.Client(base_url=there.url, headers=headers))) == {5: 1}
    there.stop()
    for each in (url, other):
        postgres.run(f"DROP DATABASE {make_url(each).database} WITH (FORCE)")
