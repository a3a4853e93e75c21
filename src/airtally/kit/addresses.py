"""Addresses of clients: who counts as one."""

from __future__ import annotations

from ipaddress import IPv6Address, IPv6Network, ip_address

_LONGEST = 64


def neighbourhood(host: str) -> str:
    """What a limit by address is for: an IPv4 address, or the /64 of an IPv6 one, as one customer has all of it.

    `::ffff:192.0.2.1` is `192.0.2.1`. What is no address, such as the name of a test client, stands for itself.
    """
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host[:_LONGEST]
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(IPv6Network((address, 64), strict=False))
