from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from benchmarks.client import Load, Spec
from benchmarks.server import ROOT

ANSWER = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 29\r\n\r\n{"accepted":3,"rejected":0  }'


class Echo:
    """Answers every request with 200 and remembers the bodies."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as file:
            while file.readline():
                length = 0
                while (header := file.readline()) != b"\r\n":
                    if header.lower().startswith(b"content-length:"):
                        length = int(header.split(b":")[1])
                self.bodies.append(file.read(length))
                connection.sendall(ANSWER[:50])
                connection.sendall(ANSWER[50:])


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.close()


def run(spec: Spec, folder: Path) -> Load:
    file = folder / "spec.json"
    file.write_text(json.dumps(asdict(spec)))
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.client", str(file)], cwd=ROOT, capture_output=True, check=True
    )
    return Load(**json.loads(done.stdout))


def spec_of(bodies: list[bytes], port: int, folder: Path, **more: float) -> Spec:
    file, index, offset = folder / "bodies", [], 0
    for body in bodies:
        index.append((offset, len(body)))
        offset += len(body)
    file.write_bytes(b"".join(bodies))
    return Spec(port, "/rows", {"X-Test": "1"}, str(file), index, connections=3, **more)


def test_every_body_is_sent_once_and_every_answer_counted(echo: Echo, tmp_path: Path) -> None:
    bodies = [b"%d" % number * 40_000 for number in range(30)]
    load = run(spec_of(bodies, echo.port, tmp_path), tmp_path)
    assert sorted(echo.bodies) == sorted(bodies)
    assert (load.requests, load.accepted_rows, load.statuses) == (30, 90, {"200": 30})
    assert 0 < load.p50 <= load.p95 <= load.p99 <= load.slowest < load.seconds


def test_a_rate_is_kept(echo: Echo, tmp_path: Path) -> None:
    load = run(spec_of([b"x"] * 11, echo.port, tmp_path, rate=20.0), tmp_path)
    assert load.requests == 11
    assert load.seconds >= 0.5


def test_seconds_end_a_run(echo: Echo, tmp_path: Path) -> None:
    load = run(spec_of([b"x"] * 1000, echo.port, tmp_path, rate=20.0, seconds=0.3), tmp_path)
    assert 0 < load.requests < 20


def test_whole_requests_are_sent_as_they_are(echo: Echo, tmp_path: Path) -> None:
    requests = [b"POST /any HTTP/1.1\r\nContent-Length: 2\r\n\r\n%02d" % number for number in range(12)]
    spec = spec_of(requests, echo.port, tmp_path)
    spec.path, spec.headers = "", {}
    load = run(spec, tmp_path)
    assert sorted(echo.bodies) == [b"%02d" % number for number in range(12)]
    assert load.statuses == {"200": 12}
