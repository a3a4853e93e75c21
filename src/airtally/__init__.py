"""Airtally: a self-hosted measurement and reporting server for people who run media."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airtally.client import AsyncClient, Client

__version__ = "0.3.0"
__all__ = ["AsyncClient", "Client", "__version__"]


def __getattr__(name: str) -> Any:
    """The clients are loaded when they are first named: the server and its commands need none."""
    if name in {"Client", "AsyncClient"}:
        from airtally import client  # noqa: PLC0415

        return getattr(client, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
