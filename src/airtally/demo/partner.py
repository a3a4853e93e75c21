"""A partner's receiver of notices on this machine, and an address where none listens."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network

#: What the server may reach while the demo is filled.
ALLOWED = (ip_network("127.0.0.1/32"),)


@dataclass(frozen=True, slots=True)
class PartnerAddresses:
    """`answers` says 200 to every notice; nothing listens at `closed`."""

    answers: str
    closed: str


@contextmanager
def partner() -> Iterator[PartnerAddresses]:
    """For as long as the block lasts."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Receiver) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            address = f"http://127.0.0.1:{server.server_address[1]}/airtally"
            yield PartnerAddresses(address, f"http://127.0.0.1:{_closed_port()}/airtally")
        finally:
            server.shutdown()
            thread.join()


class _Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """The demo's output is for what it says itself."""


def _closed_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port
