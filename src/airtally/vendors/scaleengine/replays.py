"""Remembers signatures, so that a copied request can be refused. All processes of one database share them."""

from __future__ import annotations

import hashlib

from sqlalchemy import delete

from airtally.accounts.principal import Principal
from airtally.database.store import MetadataStore
from airtally.database.tables import replays
from airtally.kit.clock import Clock


class Replays:
    """Thread-safe; calls write to the store."""

    def __init__(self, store: MetadataStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def is_first(self, principal: Principal, signature: bytes, good_until_us: int) -> bool:
        """Whether the signature was not used before; of several calls at once exactly one is told so.

        It is remembered until its timestamp is out of the window.
        """
        used = hashlib.sha256(b"%d/%b" % (principal.key_id, signature)).hexdigest()
        row = {"signature_hash": used, "expires_at": good_until_us}
        claim = self._store.upserts.insert(replays).values(row).on_conflict_do_nothing()
        with self._store.begin() as connection:
            first = connection.execute(claim.returning(replays.c.signature_hash)).one_or_none() is not None
            connection.execute(delete(replays).where(replays.c.expires_at <= self._clock.now_us()))
        return first
