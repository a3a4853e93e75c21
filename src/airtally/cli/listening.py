"""The address that `serve` takes before anything else, and what is to be said of it."""

from __future__ import annotations

import errno
import os
import socket
import ssl
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from airtally.kit.errors import Failure
from airtally.web.listened import Listened

_BACKLOG = 2048


class CannotListen(Failure):
    """The address or port cannot be listened on."""

    code = "cannot_listen"


@dataclass(frozen=True, slots=True)
class Listening:
    """Sockets that clients can connect to already; they are answered once the server runs."""

    host: str
    scheme: str
    sockets: tuple[socket.socket, ...]

    @property
    def port(self) -> int:
        port: int = self.sockets[0].getsockname()[1]
        return port

    @property
    def address(self) -> Listened:
        host = f"[{self.host}]" if ":" in self.host else self.host
        local = all(_is_loopback(each.getsockname()[0]) for each in self.sockets)
        return Listened(f"{self.scheme}://{host}:{self.port}", local)

    def announce(self) -> None:
        print(f"airtally: listening on {self.address.url}", flush=True)

    def warn(self) -> None:
        if not self.address.local:
            print(f"airtally: warning: {self.address.warning}", file=sys.stderr, flush=True)


def check_certificate(certificate: Path | None, key: Path | None) -> None:
    """Raises CannotListen for files that TLS cannot be served with."""
    if certificate is None:
        if key is not None:
            raise CannotListen("A key for TLS was given without a certificate", hint="Give --tls-cert too")
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    except OSError as error:
        words = f"The certificate {certificate} and its key {key or certificate} cannot be used: {error}"
        raise CannotListen(words, hint="Both are PEM files; --tls-key names the key") from None


@contextmanager
def listen(host: str, port: int, *, tls: bool = False) -> Iterator[Listening]:
    """Take the address, for as long as the block lasts; port 0 is any free one. Raises CannotListen."""
    host = host or "0.0.0.0"  # noqa: S104 (what no host means to the library)
    with ExitStack() as closing:
        try:
            sockets: list[socket.socket] = []
            for family, at in _addresses(host, port):
                chosen = sockets[0].getsockname()[1] if sockets else port
                sockets.append(closing.enter_context(_bound(family, (at[0], chosen, *at[2:]))))
        except (OSError, OverflowError, UnicodeError) as error:
            raise _refused(error, host, port) from None
        yield Listening(host, "https" if tls else "http", tuple(sockets))


def _addresses(host: str, port: int) -> list[tuple[int, tuple[str | int, ...]]]:
    """A name may have several, as `localhost` has."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    addresses: dict[tuple[int, tuple[str | int, ...]], None] = {}  # each once, in their order
    for family, _, _, _, at in found:
        addresses[int(family), tuple(str(part) if isinstance(part, bytes) else part for part in at)] = None
    return list(addresses)


def _bound(family: int, at: tuple[str | int, ...]) -> socket.socket:
    """As asyncio's own servers are, and listening at once: until then another process could take the same port."""
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(at)
        made.listen(_BACKLOG)
    except BaseException:
        made.close()
        raise
    return made


def _refused(error: Exception, host: str, port: int) -> CannotListen:
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if isinstance(error, OverflowError) or not 0 <= port <= 65535:
        return CannotListen(f"There is no port {port}", hint="A port is a number from 0 (any free one) to 65535")
    if isinstance(error, socket.gaierror | UnicodeError):
        return CannotListen(f"No address is known for the host {host!r}", hint="Give an address of this machine")
    number = error.errno if isinstance(error, OSError) else None
    hints = {
        errno.EADDRINUSE: "Stop what listens there, or give another --port; 0 takes a free one",
        errno.EADDRNOTAVAIL: "The host is no address of this machine; 0.0.0.0 is all that it has",
        errno.EACCES: "Ports below 1024 are for root; give another --port",
    }
    words = os.strerror(number) if number else str(error)
    return CannotListen(f"Cannot listen on {where}: {words}", hint=hints.get(number or 0, ""))


def _is_loopback(address: str) -> bool:
    return ip_address(address).is_loopback
