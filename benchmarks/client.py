"""The load client, a process of its own: `python -m benchmarks.client SPEC.json`, prints its figures as JSON.

One thread, one epoll, raw sockets kept alive, requests made beforehand: the client shares the machine with the
server and is to cost little of it.
"""

from __future__ import annotations

import json
import mmap
import re
import selectors
import socket
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_PIECE = 1 << 20
_BEGINNING = 4096
_ACCEPTED = re.compile(rb'"accepted": *(\d+)')


@dataclass
class Spec:
    """What to send: the bodies (offset and length in one file) one after the other, `rate` a second if above 0.

    Without a `path` they are whole requests, heads included.
    """

    port: int
    path: str
    headers: dict[str, str]
    bodies: str
    index: list[tuple[int, int]]
    connections: int
    host: str = "127.0.0.1"
    rate: float = 0.0
    seconds: float = 0.0


@dataclass
class Load:
    """What came of it. Times in seconds; `slowest` are percentiles of the time from sending to the last byte."""

    seconds: float = 0.0
    requests: int = 0
    accepted_rows: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    p50: float = 0.0
    p95: float = 0.0
    p99: float = 0.0
    slowest: float = 0.0
    cpu_seconds: float = 0.0


class Connection:
    """One kept-alive connection: sends a request, collects its answer."""

    def __init__(self, spec: Spec) -> None:
        self.socket = socket.create_connection((spec.host, spec.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.busy = False
        self.started = 0.0
        self._out: list[memoryview] = []
        self._answer = bytearray()
        self._whole: int | None = None

    def start(self, head: bytes, body: memoryview) -> None:
        self.busy, self.started = True, time.perf_counter()
        self._out = [memoryview(head), body]
        self._answer.clear()
        self._whole = None

    def send(self) -> bool:
        """Whether all of the request is out."""
        while self._out:
            try:
                sent = self.socket.sendmsg(self._out)
            except BlockingIOError:
                return False
            while self._out and sent >= len(self._out[0]):
                sent -= len(self._out.pop(0))
            if self._out:
                self._out[0] = self._out[0][sent:]
        return True

    def receive(self) -> bytes | None:
        """The answer's beginning once all of it is there, None while some is missing."""
        piece = self.socket.recv(_PIECE)
        if not piece:
            raise ConnectionError(f"the server closed a connection after {bytes(self._answer)!r}")
        self._answer += piece
        if self._whole is None:
            end = self._answer.find(b"\r\n\r\n")
            length = _LENGTH.search(self._answer, 0, end + 2) if end >= 0 else None
            self._whole = None if length is None else end + 4 + int(length[1])
        if self._whole is None or len(self._answer) < self._whole:
            return None
        self.busy = False
        return bytes(self._answer[:_BEGINNING])


class Client:
    """Keeps every connection busy until the bodies or the seconds are used up."""

    def __init__(self, spec: Spec, bodies: memoryview) -> None:
        self._spec = spec
        self._bodies = bodies
        self._selector = selectors.DefaultSelector()
        self._connections = [Connection(spec) for _ in range(spec.connections)]
        for one in self._connections:
            self._selector.register(one.socket, selectors.EVENT_READ, one)
        self._head = "".join(
            [f"POST {spec.path} HTTP/1.1\r\nHost: {spec.host}:{spec.port}\r\n"]
            + [f"{name}: {value}\r\n" for name, value in spec.headers.items()]
        )
        self._next = 0
        self._times: list[float] = []
        self._statuses: Counter[str] = Counter()
        self._accepted = 0

    def run(self) -> Load:
        begun = time.perf_counter()
        idle = list(self._connections)
        while True:
            idle = self._send(idle, begun)
            if len(idle) == len(self._connections) and self._over(begun):
                break
            for key, events in self._selector.select(0.02 if idle else 5):
                if events & selectors.EVENT_WRITE and key.data.send():
                    self._selector.modify(key.fileobj, selectors.EVENT_READ, key.data)
                if events & selectors.EVENT_READ and self._received(key.data):
                    idle.append(key.data)
        return self._load(time.perf_counter() - begun)

    def _over(self, begun: float) -> bool:
        late = self._spec.seconds and time.perf_counter() - begun >= self._spec.seconds
        return bool(late) or self._next >= len(self._spec.index)

    def _send(self, idle: list[Connection], begun: float) -> list[Connection]:
        """Start as many requests as are due; the connections left over."""
        while idle and not self._over(begun):
            if self._spec.rate and self._next > (time.perf_counter() - begun) * self._spec.rate:
                break
            connection = idle.pop()
            offset, length = self._spec.index[self._next]
            self._next += 1
            head = f"{self._head}Content-Length: {length}\r\n\r\n".encode() if self._spec.path else b""
            connection.start(head, self._bodies[offset : offset + length])
            if not connection.send():
                both = selectors.EVENT_READ | selectors.EVENT_WRITE
                self._selector.modify(connection.socket, both, connection)
        return idle

    def _received(self, connection: Connection) -> bool:
        answer = connection.receive()
        if answer is None:
            return False
        self._times.append(time.perf_counter() - connection.started)
        self._statuses[answer[9:12].decode()] += 1
        accepted = _ACCEPTED.search(answer) if answer.startswith(b"HTTP/1.1 200") else None
        self._accepted += int(accepted[1]) if accepted else 0
        return True

    def _load(self, seconds: float) -> Load:
        times = sorted(self._times) or [0.0]
        at = {share: times[min(len(times) - 1, int(len(times) * share))] for share in (0.5, 0.95, 0.99)}
        return Load(
            seconds=seconds,
            requests=len(self._times),
            accepted_rows=self._accepted,
            statuses=dict(self._statuses),
            p50=at[0.5],
            p95=at[0.95],
            p99=at[0.99],
            slowest=times[-1],
            cpu_seconds=time.process_time(),
        )


def main() -> None:
    spec = Spec(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    with Path(spec.bodies).open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
        load: dict[str, Any] = asdict(Client(spec, memoryview(mapped)).run())
        print(json.dumps(load))
        sys.stdout.flush()


if __name__ == "__main__":
    main()
