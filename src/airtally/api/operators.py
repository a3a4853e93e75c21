"""Tells operators from other callers: only they see the paths, errors and names of a server."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from ipaddress import ip_address

from airtally.kit import attempts
from airtally.kit.bearer import bearer_token

#: Headers that proxies add. Behind a proxy on the same machine every request comes from a loopback address.
_FORWARDED = frozenset(
    {
        *("forwarded", "via", "x-real-ip", "x-client-ip", "x-cluster-client-ip", "x-remote-addr", "x-remote-ip"),
        *("true-client-ip", "client-ip", "fastly-client-ip", "fly-client-ip", "x-appengine-user-ip"),
        *("x-azure-clientip", "x-proxyuser-ip", "x-host", "x-scheme", "proxy-connection", "cdn-loop"),
    }
)
_FORWARDED_BEGINNINGS = ("x-forwarded", "x-original", "x-envoy-", "x-amzn-", "x-akamai-", "cf-")


def is_operator(headers: Mapping[str, str], peer: str | None, token: str) -> bool:
    """Whether a request presents `token` (not if that is empty), or comes from this machine and not through a proxy.

    `peer` is the address at the other end of the connection.
    """
    presented = bearer_token(headers.get("authorization", ""))
    if token and presented and hmac.compare_digest(presented.encode("latin-1", "replace"), token.encode()):
        return True
    if _is_loopback(peer) and not _is_forwarded(headers):
        return True
    if presented:
        attempts.note(right=False)
    return False


def _is_loopback(peer: str | None) -> bool:
    try:
        address = ip_address(peer or "")
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def _is_forwarded(names: Iterable[str]) -> bool:
    return any(name in _FORWARDED or name.startswith(_FORWARDED_BEGINNINGS) for name in map(str.lower, names))
