"""All parts of the server, for commands that need them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airtally.cli.common import settings_from_environment
from airtally.runtime import open_services
from airtally.services import Role, Services


@contextmanager
def opened_services() -> Iterator[Services]:
    """Without a buffer and without background work; closed at the end."""
    services = open_services(settings_from_environment(), role=Role.NONE)
    try:
        yield services
    finally:
        services.close()
