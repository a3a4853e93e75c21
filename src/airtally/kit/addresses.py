"""Client addresses, grouped as rate limits count them."""

from __future__ import annotations

from ipaddress import IPv6Address, IPv6Network, ip_address

_LONGEST = 64


def neighbourhood(host: str) -> str:
    """The key of a limit by address: an IPv4 address, or the /64 of an IPv6 one, all of which one customer has.

    `::ffff:192.0.2.1` is `192.0.2.1`. Text that is no address, such as a test client's name, is returned as it is, cut
    to 64 characters.
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
