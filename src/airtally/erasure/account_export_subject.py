"""Cancels exports of whole accounts and begins them anew, with the exports of streams that they are made of."""

from __future__ import annotations

from typing import ClassVar

from sqlalchemy import Connection

from airtally.accounts.accounts import Accounts
from airtally.erasure.account_export import EXPORT_KEY, JOB_KIND, AccountExports
from airtally.exports.service import Exports
from airtally.jobs.interrupt import AfterChange
from airtally.jobs.queue import Job


class AccountExportSubject:
    """`JobSubject` of the jobs of account exports. Thread-safe: it has no state of its own."""

    job_kinds: ClassVar[tuple[str, ...]] = (JOB_KIND,)

    def __init__(self, account_exports: AccountExports, exports: Exports, accounts: Accounts) -> None:
        self._account_exports = account_exports
        self._exports = exports
        self._accounts = accounts

    def cancel_within(self, connection: Connection, job: Job, reason: str) -> AfterChange:
        """As `JobSubject` says. The streams' exports are cancelled after it; of a process that dies then they expire."""
        self._account_exports.end_cancelled(connection, job, reason)
        return self._dropped(connection, job)

    def begin_anew_within(self, connection: Connection, job: Job) -> AfterChange:
        """As `JobSubject` says. Every stream is exported anew."""
        self._account_exports.wait_anew(connection, job)
        return self._dropped(connection, job)

    def _dropped(self, connection: Connection, job: Job) -> AfterChange:
        account_id = job.account_id or 0
        gone = self._exports.release_keys(connection, account_id, f"{EXPORT_KEY}{job.subject}-")

        def drop() -> None:
            account = self._accounts.by_id(account_id)
            for export_id in gone:
                self._exports.cancel(account, export_id)

        return drop
