"""`Authorization: Bearer TOKEN`, as every API that takes one reads it."""

from __future__ import annotations


def bearer_token(header: str) -> str | None:
    """The token; None for an absent header, another scheme (whatever its case) and an empty token."""
    scheme, _, token = header.strip().partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None
