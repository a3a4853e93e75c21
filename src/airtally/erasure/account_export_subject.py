"""Cancels exports of whole accounts and begins them anew, with the exports of streams that they are made of."""

from __future__ import annotations

from typing import ClassVar

from sqlalchemy import Connection

from airtally.accounts.accounts import Accounts
from airtally.database.store import MetadataStore
from airtally.erasure.account_export import EXPORT_KEY, JOB_KIND, AccountExports
from airtally.exports.service import Exports
from airtally.jobs.interrupt import AfterChange
from airtally.jobs.queue import Job


class AccountExportSubject:
    """`JobSubject` of the jobs of account exports. Thread-safe: it has no state of its own."""

    job_kinds: ClassVar[tuple[str, ...]] = (JOB_KIND,)

    def __init__(
        self, store: MetadataStore, account_exports: AccountExports, exports: Exports, accounts: Accounts
    ) -> None:
        self._store = store
        self._account_exports = account_exports
        self._exports = exports
        self._accounts = accounts

    def cancel_within(self, connection: Connection, job: Job, reason: str) -> AfterChange:
        """As `JobSubject` says. The streams' exports are cancelled after it, and those that a worker is just creating
        once that worker stops (`drop_cancelled`); where a process dies in between they expire.
        """
        self._account_exports.end_cancelled(connection, job, reason)
        return self._dropped(connection, job)

    def begin_anew_within(self, connection: Connection, job: Job) -> AfterChange:
        """As `JobSubject` says. Every stream is exported anew."""
        self._account_exports.wait_anew(connection, job)
        return self._dropped(connection, job)

    def drop_cancelled(self, job: Job) -> None:
        """Cancel the streams' exports of a cancelled job, which its worker has created since."""
        if self._account_exports.is_cancelled(job):
            with self._store.begin() as connection:
                drop = self._dropped(connection, job)
            drop()

    def _dropped(self, connection: Connection, job: Job) -> AfterChange:
        account_id = job.account_id or 0
        gone = self._exports.release_keys(connection, account_id, f"{EXPORT_KEY}{job.subject}-")

        def drop() -> None:
            account = self._accounts.by_id(account_id)
            for export_id in gone:
                self._exports.cancel(account, export_id)

        return drop
