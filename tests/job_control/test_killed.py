"""kill -9 between cancelling a report and beginning it anew, and while it is built again: one file at the end."""

from __future__ import annotations

import gzip
import json
import time
from pathlib import Path

import httpx
import pytest

from fixtures.killable import killable_home
from fixtures.program import run

PLAYS = b"".join(
    b'{"player_id": 1, "media_id": %d, "played_at": "2026-10-0%dT08:00:00"}\n' % (n, 1 + n % 9) for n in range(900)
)


def until(client: httpx.Client, path: str, states: set[str]) -> dict[str, object]:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        found: dict[str, object] = client.get(path).json()
        if found["state"] in states:
            return found
        time.sleep(0.02)
    raise AssertionError(found)


@pytest.mark.timeout(300)
def test_a_report_has_one_file_whenever_the_server_is_killed(tmp_path: Path) -> None:
    """A job of a process that died is begun anew at once by the next: its worker is known to be gone."""
    server = killable_home(tmp_path / "home")
    words = ("key", "create", "--account", "acme", "--for", "native", "--scope", "admin", "--json")
    token = json.loads(run(tmp_path / "home", *words).stdout)["token"]
    server.start()
    server.wait()
    with httpx.Client(
        base_url=f"{server.url}/api/v1", headers={"Authorization": f"Bearer {token}"}, timeout=60
    ) as client:
        client.post("/streams/playlogs/events", content=PLAYS, headers={"Content-Type": "application/x-ndjson"})
        report = client.post("/reports", json={"start_date": "2026-10-01", "end_date": "2026-10-31"}).json()
        [job] = client.get("/jobs", params={"kind": "report"}).json()["items"]
        cancelled = client.post(f"/jobs/{job['id']}/cancel", json={})
        server.kill()
        server.start()
        server.wait()
        if cancelled.status_code == 200:
            assert client.get(f"/reports/{report['id']}").json()["state"] == "cancelled"
            deadline = time.monotonic() + 100
            while client.post(f"/jobs/{job['id']}/retry", json={}).status_code != 200:
                assert time.monotonic() < deadline
                time.sleep(0.2)
            server.kill()
            server.start()
            server.wait()
        done = until(client, f"/reports/{report['id']}", {"success", "failed"})
        assert (done["state"], done["rows"]) == ("success", 900)
        assert gzip.decompress(httpx.get(str(done["url"])).content).count(b"\n") == 900
    files = [path for path in (tmp_path / "home" / "files" / "reports" / "acme").iterdir() if path.is_file()]
    server.kill()
    assert len(files) == 1
