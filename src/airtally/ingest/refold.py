"""Upgrade of owned ids from releases that folded more than the letters A to Z: claims them as their rows spell them.

The migration to revision 0003 set these ids aside. Spellings that were one id and now are several stay with the
account.
"""

from __future__ import annotations

import structlog
from sqlalchemy import delete, select

from airtally.accounts.owners import Owners
from airtally.database.store import MetadataStore
from airtally.database.tables import accounts, owners
from airtally.query.changelog import VersionsQuery
from airtally.query.service import Queries
from airtally.sql.case import folded
from airtally.streams import STREAMS
from airtally.streams.declaration import Owned, Stream

#: The suffix that the migration adds to the kind of an id that it sets aside.
SET_ASIDE = "_by_unicode"

_log = structlog.get_logger()


def refold(store: MetadataStore, index: Owners, queries: Queries) -> None:
    """Claim the ids, each account's in one transaction. May be repeated, and run by several processes at once."""
    for stream in STREAMS.values():
        owned = stream.owned
        if owned is not None and owned.declares and stream.by_name[owned.column].fold_case:
            for account_id, slug in _waiting(store, owned):
                _claim(store, index, queries, (stream, owned), (account_id, slug))


def _waiting(store: MetadataStore, owned: Owned) -> list[tuple[int, str]]:
    aside = owners.join(accounts, accounts.c.id == owners.c.account_id)
    query = select(accounts.c.id, accounts.c.slug).select_from(aside)
    with store.read() as connection:
        rows = connection.execute(query.where(owners.c.kind == owned.kind + SET_ASIDE).distinct()).all()
        return [(row.id, row.slug) for row in rows]


def _claim(
    store: MetadataStore, index: Owners, queries: Queries, what: tuple[Stream, Owned], whose: tuple[int, str]
) -> None:
    (stream, owned), (account_id, slug) = what, whose
    spelled = queries.versions(VersionsQuery(stream, slug)).column(owned.column).unique().to_pylist()
    ids = {folded(each) for each in spelled if not each.isascii()}
    aside = (owners.c.kind == owned.kind + SET_ASIDE, owners.c.account_id == account_id)
    with store.begin() as connection:
        index.claim_within(connection, owned.kind, ids, account_id)
        connection.execute(delete(owners).where(*aside))
    _log.info("ids claimed anew, as they are spelled", account=slug, stream=stream.name, ids=len(ids))
