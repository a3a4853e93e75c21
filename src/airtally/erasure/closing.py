"""Closes accounts, opens them again, and has them deleted: at once, or when they were closed for long enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import Connection, select, update

from airtally.accounts.accounts import Account, Accounts
from airtally.accounts.audit import note_change
from airtally.accounts.keys import Keys
from airtally.database.store import MetadataStore
from airtally.database.tables import accounts, erasures
from airtally.erasure.erasures import Erasures
from airtally.erasure.records import ERASURE_COLUMNS, Erasure, ErasureKind
from airtally.kit.clock import Clock
from airtally.kit.errors import BadRequest, Conflict
from airtally.kit.time import DAY_US

_log = structlog.get_logger()

#: Longest time between closing and deletion that may be asked for.
MAX_DAYS = 3650


@dataclass(frozen=True, slots=True)
class ClosedAccount:
    """An account after it was closed. `delete_at` in microseconds UTC."""

    account: Account
    delete_at: int


class AccountClosing:
    """Keys, sessions and links of a closed account are refused: at once here, within a second in other processes.

    Thread-safe: each change is one transaction. `days` from closing to deletion, if the caller says none.
    """

    def __init__(
        self, store: MetadataStore, clock: Clock, accounts: Accounts, keys: Keys, erasures: Erasures, *, days: int
    ) -> None:
        self._store = store
        self._clock = clock
        self._accounts = accounts
        self._keys = keys
        self._erasures = erasures
        self._days = days

    def close(self, slug: str, *, days: int | None = None) -> ClosedAccount:
        """Close an account; closing it again changes when it is deleted. Raises NotFound, BadRequest or Conflict."""
        days = self._days if days is None else days
        if not 1 <= days <= MAX_DAYS:
            raise BadRequest(f"The data of a closed account is kept for 1 to {MAX_DAYS} days")
        account, now = self._accounts.whether_open_or_not(slug), self._clock.now_us()
        delete_at = now + days * DAY_US
        with self._store.begin() as connection:
            self._refuse_deleted(connection, account)
            self._set(connection, account, closed_at=account.closed_at or now, delete_at=delete_at)
            self._note(connection, "account.close", account, days=days)
        self._forget()
        return ClosedAccount(self._accounts.whether_open_or_not(slug), delete_at)

    def reopen(self, slug: str) -> Account:
        """Open a closed account again, with its keys, users and links. Raises NotFound, or Conflict if it is open."""
        account = self._accounts.whether_open_or_not(slug)
        if account.closed_at is None:
            raise Conflict(f"The account {slug!r} is not closed")
        with self._store.begin() as connection:
            self._refuse_deleted(connection, account)
            self._set(connection, account, closed_at=None, delete_at=None)
            self._note(connection, "account.reopen", account)
        self._forget()
        return self._accounts.by_slug(slug)

    def delete(self, slug: str) -> Erasure:
        """Have an account deleted, which is closed with that; returns the job's record. Nothing brings it back.

        Asking again returns the same. Raises NotFound.
        """
        account, now = self._accounts.whether_open_or_not(slug), self._clock.now_us()
        with self._store.begin() as connection:
            self._lock(connection, account)
            found = self._deletion(connection, account)
            if found is None:
                self._set(connection, account, closed_at=account.closed_at or now, delete_at=now)
                self._note(connection, "account.delete", account)
                found = self._erasures.add(connection, account, ErasureKind.ACCOUNT, None)
        self._forget()
        return found

    def deletion(self, slug: str) -> Erasure | None:
        """The record of an account's deletion, also once it is deleted. Raises NotFound for a slug nobody had."""
        account = self._accounts.whether_open_or_not(slug, deleted=True)
        with self._store.read() as connection:
            return self._deletion(connection, account)

    def step(self) -> None:
        """Have accounts deleted that were closed for long enough: the step of a background loop."""
        over = accounts.c.delete_at <= self._clock.now_us(), accounts.c.deleted_at.is_(None)
        waits = accounts.c.id.not_in(select(erasures.c.account_id).where(erasures.c.kind == ErasureKind.ACCOUNT))
        with self._store.read() as connection:
            slugs = connection.execute(select(accounts.c.slug).where(*over, waits)).scalars().all()
        for slug in slugs:
            _log.info("a closed account is deleted", account=slug)
            self.delete(slug)

    def _deletion(self, connection: Connection, account: Account) -> Erasure | None:
        mine = erasures.c.account_id == account.id, erasures.c.kind == ErasureKind.ACCOUNT
        row = connection.execute(select(*ERASURE_COLUMNS).where(*mine)).one_or_none()
        return None if row is None else Erasure.from_row(row)

    def _refuse_deleted(self, connection: Connection, account: Account) -> None:
        self._lock(connection, account)
        if self._deletion(connection, account) is not None:
            raise Conflict(f"The account {account.slug!r} is being deleted, which cannot be stopped")

    def _lock(self, connection: Connection, account: Account) -> None:
        """Wait for whoever else changes the account, so that there is one deletion at most."""
        connection.execute(select(accounts.c.id).where(accounts.c.id == account.id).with_for_update())

    def _set(self, connection: Connection, account: Account, **values: Any) -> None:
        connection.execute(update(accounts).where(accounts.c.id == account.id).values(values))

    def _note(self, connection: Connection, action: str, account: Account, **details: object) -> None:
        now = self._clock.now_us()
        note_change(connection, now, action, f"account {account.slug}", account_id=account.id, **details)

    def _forget(self) -> None:
        self._keys.forget()
        self._accounts.forget()
