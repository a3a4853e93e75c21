"""Accounts, keys and users of this machine's home, for commands that need no more of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from airtally.accounts.access import Access, open_access
from airtally.cli.common import settings_from_environment
from airtally.database.store import MetadataStore
from airtally.kit import logs, private
from airtally.kit.clock import Clock, SystemClock


@dataclass(frozen=True, slots=True)
class OpenedMetadata:
    """What `HasAccess` asks for."""

    access: Access
    clock: Clock


@contextmanager
def opened_metadata() -> Iterator[OpenedMetadata]:
    """Closed at the end. Raises SettingError, Unavailable and NewerHome as opening all services does."""
    logs.configure("warning")  # standard output is for what the command prints
    settings, clock = settings_from_environment(), SystemClock()
    private.enclose(settings.home, shared=settings.shares_folders)
    with ExitStack() as closing:
        store = MetadataStore.open(settings.database_url)
        closing.callback(store.close)
        yield OpenedMetadata(open_access(settings, store, clock, closing), clock)
