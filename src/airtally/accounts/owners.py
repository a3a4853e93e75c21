"""Which account owns an ad group, application code or CDN number: the one index that knows of all accounts."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from sqlalchemy import Connection, select

from airtally.database.store import MetadataStore
from airtally.database.tables import owners
from airtally.kit.cache import StoreCache

_CHUNK = 500
_REMEMBERED = 10_000
_REMEMBERED_SECONDS = 600.0


class Owners:
    """Ids are compared as they are given; whoever matches without case folds them first.

    An owner stays the owner, so those that were read are remembered; what is nobody's is asked for each time.
    """

    def __init__(self, store: MetadataStore) -> None:
        self._store = store
        self._owners: StoreCache[tuple[str, str], int] = StoreCache(_REMEMBERED, _REMEMBERED_SECONDS)

    def owner_of(self, kind: str, external_id: str) -> int | None:
        """The owning account's id."""
        return self.owners_of(kind, [external_id]).get(external_id)

    def owners_of(self, kind: str, external_ids: Collection[str]) -> dict[str, int]:
        """The owning accounts' ids by external id; unowned ones are absent."""
        known = {each: owner for each in external_ids if (owner := self._owners.get((kind, each))) is not None}
        missing = [each for each in external_ids if each not in known and _keepable(each)]
        if missing:
            with self._store.read() as connection:
                read = _known(connection, kind, missing)
            self._owners.put_read({(kind, each): owner for each, owner in read.items()}, self._owners.generation)
            known |= read
        return known

    def ids_of(self, kind: str, account_id: int) -> list[str]:
        """What an account owns of a kind, in order of text."""
        query = select(owners.c.external_id).where(owners.c.account_id == account_id, owners.c.kind == kind)
        with self._store.read() as connection:
            return list(connection.execute(query.order_by(owners.c.external_id)).scalars())

    def claim(self, kind: str, external_id: str, account_id: int) -> bool:
        """Make it the account's if nobody has it; False if another account does."""
        return not self.claim_all(kind, [external_id], account_id)

    def claim_all(self, kind: str, external_ids: Collection[str], account_id: int) -> set[str]:
        """Claim several; the answer is those that could not be. Known ones cost a read only."""
        known = self.owners_of(kind, external_ids)
        new = {each for each in external_ids if each not in known and _keepable(each)}
        if new:
            with self._store.begin() as connection:
                known |= self.claim_within(connection, kind, new, account_id)
        return {each for each in external_ids if known.get(each) != account_id}

    def claim_within(
        self, connection: Connection, kind: str, external_ids: Collection[str], account_id: int
    ) -> dict[str, int]:
        """The same inside the caller's transaction; the owners by id afterwards."""
        for part in _chunks(external_ids):
            rows = [{"kind": kind, "external_id": each, "account_id": account_id} for each in part]
            connection.execute(self._store.upserts.insert(owners).values(rows).on_conflict_do_nothing())
        return _known(connection, kind, external_ids)


def _keepable(external_id: str) -> bool:
    """PostgreSQL has no text with NUL in it: nobody can own such an id."""
    return "\0" not in external_id


def _known(connection: Connection, kind: str, external_ids: Collection[str]) -> dict[str, int]:
    known: dict[str, int] = {}
    for part in _chunks(external_ids):
        query = select(owners.c.external_id, owners.c.account_id)
        rows = connection.execute(query.where(owners.c.kind == kind, owners.c.external_id.in_(part)))
        known.update((row.external_id, row.account_id) for row in rows)
    return known


def _chunks(external_ids: Collection[str]) -> Iterator[list[str]]:
    ordered = sorted(set(external_ids))  # the same order in every process, so that none waits for each other
    for start in range(0, len(ordered), _CHUNK):
        yield ordered[start : start + _CHUNK]
