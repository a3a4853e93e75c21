"""The header `Authorization`, as every API reads it."""

from __future__ import annotations


def credential(header: str | None, scheme: str) -> str | None:
    """The text after the scheme, which is given in small letters and may have any case in the header; else None."""
    name, _, rest = (header or "").strip().partition(" ")
    return rest.strip() or None if name.lower() == scheme else None


def bearer_token(header: str) -> str | None:
    """The token of `Bearer TOKEN`."""
    return credential(header, "bearer")
