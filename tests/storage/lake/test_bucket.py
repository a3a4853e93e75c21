"""The program on a bucket of a real S3 server: lake and files, from an acknowledged row to a fetched report."""

from __future__ import annotations

import gzip
import io
import json
import random
from collections.abc import Callable

import httpx
import pytest

from airtally.background import maintenance_of, rebuilder_of
from airtally.erasure.person import person_of
from airtally.files.store import PART_BYTES
from airtally.kit.clock import MovableClock
from airtally.storage.lake.compaction import EAGER
from airtally.streams import APP_EVENTS, PLAYLOGS
from fixtures.native import Native
from fixtures.server import LiveServer
from fixtures.signage import until


@pytest.fixture
def native(bucket: str, start_server: Callable[..., LiveServer], clock: MovableClock):
    server = start_server(clock=clock, lake=f"{bucket}/lake", files=f"{bucket}/files")
    native = Native(server, "acme")
    native.server = server
    yield native
    native.http.close()


def plays(count: int, day: str = "2026-10-01") -> bytes:
    """Rows that gzip can do little with."""
    chance = random.Random(count)
    rows = (
        {
            "player_id": chance.randrange(1 << 60),
            "media_id": chance.randrange(1 << 60),
            "played_at": f"{day}T{n % 24:02}:{n % 60:02}:{n % 59:02}",
            "id": f"{chance.randrange(1 << 60)}",
        }
        for n in range(count)
    )
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def test_rows_are_counted_before_and_after_flush_and_compaction(native: Native) -> None:
    services = native.server.services
    for _ in range(3):
        assert native.send("playlogs", plays(50)).json()["accepted"] == 50
        services.storage.event_store.flush()
    native.send("playlogs", plays(7))
    assert native.count() == 57
    maintenance_of(services, rebuilder_of(services)).compact(services.storage.lake.table(PLAYLOGS), EAGER)
    assert native.count() == 57


def test_a_person_and_an_account_are_erased(native: Native) -> None:
    services, event = native.server.services, {"application": "A-1", "event": "e", "time": "2026-11-01T10:00:00Z"}
    native.send("applications", [{"application": "A-1"}])
    native.send("app_events", [event | {"user_id": name} for name in ("ann", "bob", "ann")])
    services.storage.event_store.flush()
    asked = services.privacy.erasures.request(native.account, person_of({"user_id": ["ann"]}))
    until(lambda: services.privacy.erasures.get(native.account, asked.id).state == "erased", 60)
    assert native.count("app_events") == 1
    services.privacy.closing.delete("acme")
    until(lambda: services.privacy.closing.deletion("acme").state == "erased", 60)
    table = services.storage.lake.table(APP_EVENTS).newest()
    assert table is not None
    assert table.names == []


def test_a_large_report_is_stored_and_fetched(native: Native) -> None:
    """Larger than one part of an upload, so that there are several."""
    services = native.server.services
    count = 420_000
    assert (
        native.send("playlogs", gzip.compress(plays(count), 1), **{"Content-Encoding": "gzip"}).json()["accepted"]
        == count
    )
    token = services.access.keys.create(native.account, "fouryousee").credentials["secret_token"]
    with httpx.Client(base_url=native.server.url, headers={"Secret-Token": token}, timeout=60) as http:
        asked = {"type": "detailed", "filter": {"startDate": "2026-10-01", "endDate": "2026-10-01"}}
        made = http.post("/v1/reports", json=asked).json()["id"]
        report = until(
            lambda: (found := http.get(f"/v1/reports/{made}").json())["status"] in {"success", "failed"} and found,
            seconds=90,
        )
        assert report["status"] == "success", report
        packed = http.get(report["url"], headers={"Accept-Encoding": "identity"}).content
        assert len(packed) > PART_BYTES
        with gzip.open(io.BytesIO(packed)) as lines:
            assert sum(1 for _ in lines) == count
        part = http.get(report["url"], headers={"Range": f"bytes={PART_BYTES - 2}-{PART_BYTES + 1}"})
        assert (part.status_code, part.content) == (206, packed[PART_BYTES - 2 : PART_BYTES + 2])
