"""kill -9 of the server while rows come in: usage has each row that the store has, once."""

from __future__ import annotations

import json
import threading
import time

import httpx
import pytest

from fixtures.killable import Killable, killable

__all__ = ["killable"]

ROWS = 40


def send_on(server: Killable, stop: threading.Event, number: int) -> None:
    """Batches of rows that are each an event of its own, whatever becomes of them."""
    sent = 0
    with httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {server.token}"}, timeout=30) as client:
        while not stop.is_set():
            ids = range(sent, sent + ROWS)
            body = b"".join(
                b'{"player_id": 1, "media_id": 2, "played_at": "2026-10-01T08:00:00", "id": "%d-%d"}\n' % (number, each)
                for each in ids
            )
            try:
                client.post(
                    "/api/v1/streams/playlogs/events", content=body, headers={"Content-Type": "application/x-ndjson"}
                )
            except httpx.HTTPError:
                time.sleep(0.02)
            sent += ROWS


@pytest.mark.timeout(300)
def test_each_row_is_counted_once_whenever_the_server_is_killed(killable: Killable) -> None:
    killable.wait()
    stop = threading.Event()
    senders = [threading.Thread(target=send_on, args=(killable, stop, number)) for number in range(2)]
    for each in senders:
        each.start()
    for kill in range(2):
        time.sleep(1 + 0.7 * kill)
        killable.kill()
        killable.start()
        killable.wait()
    time.sleep(0.5)
    stop.set()
    for each in senders:
        each.join()
    with httpx.Client(
        base_url=killable.url, headers={"Authorization": f"Bearer {killable.token}"}, timeout=60
    ) as client:
        rows = client.post("/api/v1/query", json={"stream": "playlogs", "metrics": ["count"]}).json()["rows"]
        deadline, total = time.monotonic() + 60, {}
        while total.get("rows_accepted") != rows[0]["count"] and time.monotonic() < deadline:
            time.sleep(0.2)
            total = client.get("/api/v1/usage").json()["total"]
    assert rows[0]["count"] > 0
    assert total["rows_accepted"] == rows[0]["count"], json.dumps(total)
