"""HTTP requests to addresses chosen by users, such as webhooks: checked, limited in time, never redirected."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import socket
import ssl
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

import httpcore
import httpx

from airtally.kit.errors import Failure

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

USER_AGENT = "Airtally"

#: Not public, though Python calls them global: site-local, which routers still forward (RFC 3879), documentation
#: (RFC 9637), protocol assignments (RFC 6890), 6to4 relays (RFC 7526).
_LOCAL = tuple(map(ip_network, ("fec0::/10", "3fff::/20", "192.0.0.0/24", "192.88.99.0/24")))

#: What is kept of an answer's headers, which a hostile receiver makes long. `Retry-After` is always among them.
_MOST_HEADERS = 30
_LONGEST_HEADER = 300
#: How long the beginning of a body is waited for once the status is there.
_BODY_SECONDS = 2.0

#: Time to connect to one of several addresses of a name, so that a silent one leaves time for the next.
SHARE_SECONDS = 8.0


class OutgoingFailed(Failure):
    """No answer came; the message tells the receiver's owner why."""

    status = 502
    code = "outgoing_failed"


class OutgoingRefused(OutgoingFailed):
    """Requests to the target are not permitted."""

    code = "outgoing_refused"
    hint = "AIRTALLY_OUTGOING_ALLOW names the private networks that may be reached."


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. `headers` has some of its first ones by lower-case name, `body` the beginning that was asked for."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


def check_url(url: str) -> httpx.URL:
    """Parse an absolute http or https URL with a host. Raises OutgoingRefused."""
    try:
        parsed = httpx.URL(url)
        host = parsed.host  # decoded here, which fails for a label such as `xn--`
    except (httpx.InvalidURL, ValueError):
        raise OutgoingRefused("The URL cannot be read") from None
    if parsed.scheme not in {"http", "https"} or not host:
        raise OutgoingRefused("The URL must be absolute, with http or https")
    if "%" in host:
        raise OutgoingRefused("The URL's host must be an address or a name, without a network interface")
    if parsed.port is not None and not 0 < parsed.port < 65536:
        raise OutgoingRefused("The URL's port must be between 1 and 65535")
    return parsed


def check_target(url: str, allowed: Iterable[Network]) -> None:
    """Refuse a URL that can never be posted to, before it is stored. Raises OutgoingRefused.

    Addresses are checked in every spelling. What a name stands for is checked at each request, for it may change.
    """
    host = check_url(url).host
    if host.lower().rstrip(".") == "localhost":
        host = "127.0.0.1"
    try:
        found = socket.getaddrinfo(host, None, flags=socket.AI_NUMERICHOST)
    except OSError:
        return
    address = ip_address(str(found[0][4][0]))
    if not is_permitted(address, allowed):
        raise OutgoingRefused(f"{host} is {address}, which is not a public address")


def is_permitted(address: Address, allowed: Iterable[Network]) -> bool:
    """Whether an address is public or in one of the allowed networks."""
    inner = list(_carried(address))
    if any(each in network for network in allowed for each in (address, *inner)):
        return True
    return _is_public(address) and all(_is_public(each) for each in inner)


def _is_public(address: Address) -> bool:
    if address.is_multicast or address.is_reserved or address.is_unspecified:
        return False
    return address.is_global and not any(address in network for network in _LOCAL)


def _carried(address: Address) -> Iterable[IPv4Address]:
    """IPv4 addresses embedded in an IPv6 one: mapped, 6to4, Teredo."""
    if isinstance(address, IPv4Address):
        return
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo


class _GuardedBackend(httpcore.AsyncNetworkBackend):
    """Resolves a name once, checks its addresses, and connects only to those that were checked."""

    def __init__(self, allowed: Sequence[Network]) -> None:
        self._allowed = allowed
        self._plain = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 (the interface of httpcore)
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        addresses = await self._resolve(host, port)
        permitted = [address for address in addresses if is_permitted(address, self._allowed)]
        if not permitted:
            raise OutgoingRefused(f"{host} is at {addresses[0]}, which is not a public address")
        error: Exception | None = None
        share = timeout if len(permitted) == 1 else SHARE_SECONDS
        for address in permitted:
            try:
                return await self._plain.connect_tcp(str(address), port, share, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as failed:
                error = failed
        raise error or httpcore.ConnectError("no address")

    async def _resolve(self, host: str, port: int) -> list[Address]:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=1)
        return list(dict.fromkeys(ip_address(str(info[4][0])) for info in found))

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Outgoing:
    """Posts to addresses chosen by users.

    `seconds` is the limit for a whole request, from name look-up to status line.
    """

    def __init__(self, allowed: Sequence[Network] = (), *, seconds: float = 30.0) -> None:
        self._allowed = tuple(allowed)
        self._seconds = seconds
        self._tls: ssl.SSLContext | None = None

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], *, excerpt: int = 0) -> Reply:
        """Returns any status that is answered; redirects are not followed.

        `excerpt` is how many bytes of the answer's body are read, as far as they come soon. Raises OutgoingRefused for a target that is not permitted, OutgoingFailed if no answer came.
        """
        target = check_url(url)
        try:
            async with asyncio.timeout(self._seconds) as limit:
                return await self._post(target, body, headers, excerpt, limit)
        except (TimeoutError, httpcore.TimeoutException):
            raise OutgoingFailed(f"No answer within {self._seconds:g} seconds") from None
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
            raise OutgoingFailed(_in_words(error)) from error

    async def _post(
        self, target: httpx.URL, body: bytes, headers: Mapping[str, str], excerpt: int, limit: asyncio.Timeout
    ) -> Reply:
        pool = httpcore.AsyncConnectionPool(
            ssl_context=self._tls_context() if target.scheme == "https" else None,
            network_backend=_GuardedBackend(self._allowed),
            max_keepalive_connections=0,
        )
        url = httpcore.URL(
            scheme=target.raw_scheme, host=target.raw_host, port=target.port, target=target.raw_path or b"/"
        )
        given = {
            "Host": _host(target),
            "User-Agent": USER_AGENT,
            "Accept": "*/*",
            "Connection": "close",
            **headers,
            **_credentials(target),
        }
        sent = [(name.encode(), value.encode()) for name, value in given.items()]
        async with pool, pool.stream("POST", url, headers=sent, content=body) as response:
            limit.reschedule(asyncio.get_running_loop().time() + 2 * _BODY_SECONDS)  # the answer is there
            return Reply(response.status, _kept_headers(response.headers), await _beginning(response, excerpt))

    def _tls_context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = httpcore.default_ssl_context()
        return self._tls


def _kept_headers(headers: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    kept: dict[str, str] = {}
    for name, value in headers:
        text = name.decode("latin-1").lower()
        if len(kept) < _MOST_HEADERS or text == "retry-after":
            kept.setdefault(text[:_LONGEST_HEADER], value.decode("latin-1")[:_LONGEST_HEADER])
    return kept


async def _beginning(response: httpcore.Response, most: int) -> bytes:
    """At most `most` bytes of the body: those that came before it ended, broke off or took too long."""
    read = bytearray()
    if not most:
        return b""
    with contextlib.suppress(TimeoutError, httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError):
        async with asyncio.timeout(_BODY_SECONDS):
            async for piece in response.aiter_stream():
                read += piece
                if len(read) >= most:
                    break
    return bytes(read[:most])


def _host(target: httpx.URL) -> str:
    """The header's value: an IPv6 address in brackets, and the port unless it is the scheme's default."""
    name = target.raw_host.decode()
    name = f"[{name}]" if ":" in name else name
    return name if target.port is None else f"{name}:{target.port}"


def _credentials(target: httpx.URL) -> dict[str, str]:
    if not target.userinfo:
        return {}
    pair = base64.b64encode(f"{target.username}:{target.password}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}


def _in_words(error: Exception) -> str:
    text = str(error) or type(error).__name__
    if isinstance(error, httpcore.ConnectError | OSError):
        return f"The connection failed: {text}"[:500]
    return f"The receiver did not answer in HTTP: {text}"[:500]
