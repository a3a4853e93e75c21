"""Validation of the headers that say who calls whom: `Host` (RFC 9110, 7.2), and those of which there is one (5.3)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import AddressValueError, IPv6Address

from airtally.kit.errors import BadRequest

_HOST = re.compile(rb"(?:([A-Za-z0-9._-]{1,255})|\[([0-9A-Fa-f:.]{2,45})\])(?::([0-9]{0,5}))?")
#: Of two, a proxy in front might check the one and the server obey the other.
_SINGLE = frozenset({b"authorization", b"airtally-account", b"idempotency-key", b"content-type"})


def check_single(headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Raises BadRequest for a header that was given twice and of which a request has one."""
    seen = set()
    for name, _ in headers:
        if name in seen:
            raise BadRequest(f"A request must have only one {name.decode().title()} header")
        if name in _SINGLE:
            seen.add(name)


def check_host(headers: Iterable[tuple[bytes, bytes]], http_version: str) -> None:
    """Raises BadRequest unless there is exactly one valid header; HTTP/1.0 may omit it."""
    hosts = [value.strip() for name, value in headers if name == b"host"]
    if len(hosts) > 1 or (not hosts and http_version != "1.0"):
        raise BadRequest("A request must have exactly one Host header")
    if hosts and not _is_host(hosts[0]):
        raise BadRequest("The Host header is not a valid host")


def _is_host(text: bytes) -> bool:
    found = _HOST.fullmatch(text)
    if found is None or int(found[3] or 0) > 65535:
        return False
    if found[2] is None:
        return True
    try:
        IPv6Address(found[2].decode())
    except AddressValueError:
        return False
    return True
