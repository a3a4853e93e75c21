"""All parts of the server, for commands that need them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airtally.cli.common import settings_from_environment
from airtally.kit import logs
from airtally.runtime import open_services
from airtally.services import Role, Services


@contextmanager
def opened_services(role: Role = Role.NONE) -> Iterator[Services]:
    """Without background work; closed at the end.

    With `Role.ROWS` the buffers of dead processes of this home are adopted, and moved into the lake at the end.
    """
    logs.configure("warning")  # standard output is for what the command prints
    services = open_services(settings_from_environment(), role=role)
    try:
        if role:
            services.start()
        yield services
    finally:
        services.close()
