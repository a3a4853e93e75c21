"""Which businesses an account has, for checking rows of dataset streams."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from airtally.accounts.accounts import Account
from airtally.database.store import MetadataStore
from airtally.database.tables import slate_businesses

_CHUNK = 500


class Businesses:
    """Reads the store for each batch, so that a new business counts at once. Thread-safe: it keeps no state."""

    def __init__(self, store: MetadataStore) -> None:
        self._store = store

    def unknown(self, account: Account, ids: Sequence[str]) -> set[str]:
        """The ids that are not businesses of the account."""
        query = select(slate_businesses.c.business_id).where(slate_businesses.c.account_id == account.id)
        known: set[str] = set()
        with self._store.read() as connection:
            for start in range(0, len(ids), _CHUNK):
                part = [each for each in ids[start : start + _CHUNK] if "\0" not in each]
                known.update(connection.execute(query.where(slate_businesses.c.business_id.in_(part))).scalars())
        return set(ids) - known
