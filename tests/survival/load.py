"""Rows of known number sent at a server that is being killed, and what must be true of them after."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field

import httpx

DAY = "2026-10-01"


@dataclass
class Ledger:
    """What the senders know: batch number -> rows, for what was acknowledged and what may or may not be there."""

    acknowledged: dict[int, int] = field(default_factory=dict)
    unknown: dict[int, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    _next: int = 1

    def begin(self) -> int:
        with self.lock:
            number, self._next = self._next, self._next + 1
            return number

    def wrong(self, counted: dict[int, int]) -> list[str]:
        """Each batch that is not there exactly as it must be, in words; empty when all is well."""
        found = []
        for number, rows in self.acknowledged.items():
            if counted.get(number, 0) != rows:
                found.append(f"acknowledged batch {number}: {rows} rows, counted {counted.get(number, 0)}")
        for number, rows in self.unknown.items():
            if counted.get(number, 0) not in (0, rows):
                found.append(f"unacknowledged batch {number}: {rows} rows, counted {counted[number]}")
        strangers = counted.keys() - self.acknowledged.keys() - self.unknown.keys()
        return found + [f"batch {number} was never sent" for number in strangers]


def body(number: int, rows: int) -> bytes:
    """A batch that can be told by its media id; every third carries ids, each row twice (a player's retry)."""
    lines = []
    for row in range(rows):
        line = {"player_id": row % 7 + 1, "media_id": number, "played_at": f"{DAY}T{8 + row % 12:02}:00:{row % 60:02}"}
        if number % 3 == 0:
            line["id"] = f"{number}-{row}"
            lines.append(line)
        lines.append(line)
    return "\n".join(map(json.dumps, lines)).encode()


class Sender(threading.Thread):
    """Sends batches one after the other until stopped, noting each outcome."""

    def __init__(self, url: str, key: str, ledger: Ledger, rows: int) -> None:
        super().__init__(daemon=True)
        self._url = f"{url}/api/v1/streams/playlogs/events"
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/x-ndjson"}
        self._ledger = ledger
        self._rows = rows
        self.stopped = threading.Event()

    def run(self) -> None:
        with httpx.Client(timeout=20) as client:
            while not self.stopped.is_set():
                self._send(client)

    def _send(self, client: httpx.Client) -> None:
        number = self._ledger.begin()
        try:
            answer = client.post(self._url, headers=self._headers, content=body(number, self._rows))
        except httpx.HTTPError:
            with self._ledger.lock:
                self._ledger.unknown[number] = self._rows
            self.stopped.wait(0.05)
            return
        if answer.status_code == 200:
            with self._ledger.lock:
                self._ledger.acknowledged[number] = self._rows
