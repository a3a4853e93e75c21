"""Accounts alone, without the other parts of the server, for commands that only read them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airtally.accounts.accounts import Accounts
from airtally.cli.common import settings_from_environment
from airtally.database.store import MetadataStore
from airtally.kit import private
from airtally.kit.clock import SystemClock


@contextmanager
def opened_store() -> Iterator[tuple[MetadataStore, Accounts]]:
    """The metadata store of the environment's settings and its accounts, closed at the end. Raises BadRequest."""
    settings = settings_from_environment()
    private.enclose(settings.home, shared=settings.shares_folders)
    store = MetadataStore.open(settings.database_url)
    try:
        yield store, Accounts(store, SystemClock())
    finally:
        store.close()
