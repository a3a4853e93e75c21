"""Callers that take all they can get, each a process of its own: `python -m benchmarks.hostile SPEC.json`, until killed."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path

#: The attackers share the machine with the server; their own work is to cost as little of it as can be.
NICE = 19
_INGEST = "/api/v1/streams/playlogs/events"


@dataclass(frozen=True)
class Spec:
    """`token` and `secret_token` are keys of the account that attacks."""

    attack: str
    port: int
    token: str
    secret_token: str


def main() -> None:
    spec = Spec(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    os.nice(NICE)
    connections, attack = ATTACKS[spec.attack]
    threads = [threading.Thread(target=_again, args=(attack, spec), daemon=True) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _again(attack: Callable[[Spec], None], spec: Spec) -> None:
    while True:
        try:
            attack(spec)
        except (OSError, http.client.HTTPException):
            time.sleep(0.05)


def _heads(spec: Spec) -> None:
    with _connect(spec) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        while True:
            client.sendall(b"x-a: b\r\n" * 100)


def _silent(spec: Spec) -> None:
    """Eleven threads of a hundred connections each."""
    clients = [_connect(spec) for _ in range(100)]
    for client in clients[:10]:
        client.sendall(b"GET /healthz HT")
    time.sleep(2)


def _stalled(spec: Spec) -> None:
    for path in (_INGEST, "/v1/reports", "/api/v1/query", "/json/1.3/getTags"):
        with _connect(spec) as client:
            client.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 60000000\r\n\r\n".encode())
            client.sendall(b"a" * 500_000)
            time.sleep(1)


def _lists(spec: Spec) -> None:
    ids = [f"no such play {n}" for n in range(20_000)]
    _query(spec, {"stream": "playlogs", "filter": {"id": ids}, "dimensions": ["player_id", "media_id"]})


def _rows(spec: Spec) -> None:
    _query(spec, {"stream": "playlogs", "dimensions": ["id", "player_id", "media_id", "played_at"]})


def _blank(spec: Spec) -> None:
    _send(spec, _packed(b"\n", 300 << 20))


def _wrong(spec: Spec) -> None:
    _send(spec, _packed(b"{}\n", 4_000_000))


def _reports(spec: Spec) -> None:
    body = json.dumps({"type": "detailed", "filter": {"startDate": "2026-01-01", "endDate": "2026-01-02"}}).encode()
    for _ in count():
        _post(spec, "/v1/reports", body, {"Secret-Token": spec.secret_token, "Content-Type": "application/json"})


def _guesses(spec: Spec) -> None:
    for n in count():
        _post(spec, "/api/v1/query", b"{}", {"Authorization": f"Bearer guess{n}"})


#: How many connections (or threads of some) each of them has.
ATTACKS: dict[str, tuple[int, Callable[[Spec], None]]] = {
    "heads without end": (8, _heads),
    "silent connections": (11, _silent),
    "stalled bodies without a key": (25, _stalled),
    "lists of 20,000 values": (8, _lists),
    "more result rows than an answer may have": (8, _rows),
    "bodies of 300 MiB blank lines": (4, _blank),
    "bodies of 4 million wrong rows": (4, _wrong),
    "guesses of keys": (64, _guesses),
    "all the reports it may ask for": (4, _reports),
}


@cache
def _packed(line: bytes, lines: int) -> bytes:
    return gzip.compress(line * lines, 6)


def _connect(spec: Spec) -> socket.socket:
    return socket.create_connection(("127.0.0.1", spec.port), timeout=120)


def _query(spec: Spec, question: object) -> None:
    _post(spec, "/api/v1/query", json.dumps(question).encode(), {"Authorization": f"Bearer {spec.token}"})


def _send(spec: Spec, body: bytes) -> None:
    headers = {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}
    _post(spec, _INGEST, body, headers | {"Authorization": f"Bearer {spec.token}"})


def _post(spec: Spec, path: str, body: bytes, headers: dict[str, str]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", spec.port, timeout=120)
    try:
        connection.request("POST", path, body, headers)
        connection.getresponse().read()
    finally:
        connection.close()


if __name__ == "__main__":
    main()
