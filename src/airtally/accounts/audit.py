"""The audit trail: who made, changed or revoked what, and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, insert, select

from airtally.accounts.acting import current_actor
from airtally.database.rows import AnyRow, values_of
from airtally.database.store import MetadataStore
from airtally.database.tables import audit
from airtally.kit.clock import Clock
from airtally.kit.time import DAY_US

_ENTRY = tuple(audit.c)
#: Entries that one transaction deletes at most.
_EXPIRE_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """`action` such as `key.create`, `target` such as `key 12`. `at` in microseconds UTC.

    `account_id` is None for what concerns no account; the account may have been deleted since.
    """

    id: int
    at: int
    account_id: int | None
    actor_kind: str
    actor: str
    address: str
    action: str
    target: str
    details: Mapping[str, Any]

    @classmethod
    def from_row(cls, row: AnyRow) -> AuditEntry:
        values = values_of(row, _ENTRY)
        return cls(**values | {"details": msgspec.json.decode(values["details"])})


def note_change(
    connection: Connection, at: int, action: str, target: str, *, account_id: int | None, **details: Any
) -> None:
    """Write an entry for the current actor in the transaction of the change. No detail may be a secret."""
    actor = current_actor()
    row = {
        "at": at,
        "account_id": account_id,
        "actor_kind": actor.kind,
        "actor": actor.name,
        "address": actor.address,
        "action": action,
        "target": target,
        "details": msgspec.json.encode(details).decode(),
    }
    connection.execute(insert(audit).values(row))


class AuditTrail:
    """Reads and expires the entries. Thread-safe; every call is a transaction."""

    def __init__(self, store: MetadataStore, clock: Clock, *, days: int) -> None:
        self._store = store
        self._clock = clock
        self._days = days

    def entries(self, account_id: int | None, *, before: int | None = None, limit: int = 100) -> list[AuditEntry]:
        """Newest first; of one account, or of all. `before` is the id of the last entry of the page before."""
        query = select(*_ENTRY).order_by(audit.c.id.desc()).limit(limit)
        if account_id is not None:
            query = query.where(audit.c.account_id == account_id)
        if before is not None:
            query = query.where(audit.c.id < before)
        with self._store.read() as connection:
            return [AuditEntry.from_row(row) for row in connection.execute(query)]

    def expire(self) -> None:
        """Delete entries older than the setting says."""
        old = select(audit.c.id).where(audit.c.at < self._clock.now_us() - self._days * DAY_US).limit(_EXPIRE_AT_ONCE)
        with self._store.begin() as connection:
            connection.execute(delete(audit).where(audit.c.id.in_(old)))
