"""Which businesses of a dataset stream's rows an account has."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from airtally.accounts.accounts import Account
from airtally.database.store import MetadataStore
from airtally.database.tables import slate_businesses

_CHUNK = 500


class Businesses:
    """Read at each batch, so that a business counts from the moment it is made."""

    def __init__(self, store: MetadataStore) -> None:
        self._store = store

    def unknown(self, account: Account, ids: Sequence[str]) -> set[str]:
        """Those that are no business of the account."""
        query = select(slate_businesses.c.business_id).where(slate_businesses.c.account_id == account.id)
        known: set[str] = set()
        with self._store.read() as connection:
            for start in range(0, len(ids), _CHUNK):
                part = [each for each in ids[start : start + _CHUNK] if "\0" not in each]
                known.update(connection.execute(query.where(slate_businesses.c.business_id.in_(part))).scalars())
        return set(ids) - known
