"""Everything of an account as files: an export of each stream, and the account's metadata and refused rows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from airtally.accounts.accounts import ACCOUNT_COLUMNS, Account
from airtally.accounts.acting import current_actor
from airtally.accounts.audit import note_change
from airtally.database.rows import AnyRow, values_of
from airtally.database.store import MetadataStore
from airtally.database.tables import account_exports, accounts, jobs
from airtally.exports.expiry import LISTED_US
from airtally.jobs.interrupt import begin_job_anew, cancel_job
from airtally.jobs.queue import Job, Jobs
from airtally.kit.clock import Clock
from airtally.kit.errors import Conflict, NotFound

JOB_KIND = "account_export"
#: How the keys of the streams' exports begin.
EXPORT_KEY = "account-export-"
_FORGOTTEN_AT_ONCE = 100


class AccountExportState(StrEnum):
    WAITING = "waiting"
    READY = "ready"
    FAILED = "failed"
    CANCELLED = "cancelled"


class AccountFile(msgspec.Struct, frozen=True):
    """A file of an account's export. `export_id` and `number` are those of a part of a stream; None for other files.

    `stored` is its name in the file store.
    """

    name: str
    stored: str
    rows: int
    bytes: int
    sha256: str
    export_id: int | None = None
    number: int | None = None


@dataclass(frozen=True, slots=True)
class AccountExport:
    """Times in microseconds UTC. `files` are there once it is ready; they are kept until `expires_at`."""

    id: int
    account_id: int
    state: AccountExportState
    files: tuple[AccountFile, ...]
    data_through: int | None
    error: str | None
    requested_by: str
    created_at: int
    ended_at: int | None
    expires_at: int | None

    @classmethod
    def from_row(cls, row: AnyRow) -> AccountExport:
        values = values_of(row, account_exports.c)
        files = msgspec.json.decode(values["files"], type=tuple[AccountFile, ...])
        return cls(**values | {"state": AccountExportState(values["state"]), "files": files})


class AccountExports:
    """Thread-safe: each change is one transaction."""

    def __init__(self, store: MetadataStore, clock: Clock, queue: Jobs) -> None:
        self._store = store
        self._clock = clock
        self._jobs = queue

    def create(self, account: Account) -> AccountExport:
        """Raises Conflict where one of the account is under way."""
        now = self._clock.now_us()
        values = {
            "account_id": account.id,
            "state": AccountExportState.WAITING,
            "files": "[]",
            "requested_by": str(current_actor()),
            "created_at": now,
        }
        waiting = account_exports.c.account_id == account.id, account_exports.c.state == AccountExportState.WAITING
        with self._store.begin() as connection:
            connection.execute(select(accounts.c.id).where(accounts.c.id == account.id).with_for_update())
            if connection.execute(select(account_exports.c.id).where(*waiting)).first() is not None:
                raise Conflict("An export of this account is under way already")
            row = connection.execute(insert(account_exports).values(values).returning(*account_exports.c)).one()
            self._jobs.add(connection, JOB_KIND, str(row.id), account.id)
            note_change(connection, now, "account.export", f"account {account.slug}", account_id=account.id)
        return AccountExport.from_row(row)

    def get(self, account: Account, export_id: int) -> AccountExport:
        """Raises NotFound for one that is not the account's."""
        found = self._where(account_exports.c.account_id == account.id, account_exports.c.id == export_id)
        if not found:
            raise NotFound(f"There is no export {export_id} of the account")
        return found[0]

    def page(self, account: Account, *, after: int | None = None, limit: int = 100) -> list[AccountExport]:
        """The account's, newest first; those before the id `after`."""
        where = [account_exports.c.account_id == account.id]
        if after is not None:
            where.append(account_exports.c.id < after)
        return self._where(*where, limit=limit)

    def of_job(self, job: Job) -> tuple[AccountExport, Account]:
        """The export of a job, with its account."""
        [found] = self._where(account_exports.c.id == int(job.subject))
        with self._store.read() as connection:
            row = connection.execute(select(*ACCOUNT_COLUMNS).where(accounts.c.id == found.account_id)).one()
        return found, Account.from_row(row)

    def succeed(self, job: Job, files: list[AccountFile], data_through: int | None, expires_at: int | None) -> None:
        """Note the files, all of them stored by now, and end the job. Raises LeaseLost."""
        values = {"files": msgspec.json.encode(files).decode(), "data_through": data_through, "expires_at": expires_at}
        with self._store.begin() as connection:
            self._jobs.finish(connection, job)
            self._end(connection, job, state=AccountExportState.READY, **values)

    def fail(self, job: Job, reason: str) -> None:
        """Note why it failed, and end the job. Raises LeaseLost."""
        with self._store.begin() as connection:
            self._jobs.fail(connection, job, reason)
            self._end(connection, job, state=AccountExportState.FAILED, error=reason)

    def expire(self) -> float | None:
        """Forget exports, with their jobs, LISTED_US after their files expired, or after they ended without any.

        Their files lie with those of the streams' exports and are deleted with them. Returns 0 where there may be more.
        """
        over = func.coalesce(account_exports.c.expires_at, account_exports.c.ended_at)
        old = account_exports.c.state != AccountExportState.WAITING, over <= self._clock.now_us() - LISTED_US
        due = select(account_exports.c.id).where(*old).limit(_FORGOTTEN_AT_ONCE).with_for_update()
        with self._store.begin() as connection:
            ids = connection.execute(due).scalars().all()
            if ids:
                subjects = [str(each) for each in ids]
                connection.execute(delete(jobs).where(jobs.c.kind == JOB_KIND, jobs.c.subject.in_(subjects)))
                connection.execute(delete(account_exports).where(account_exports.c.id.in_(ids)))
        return 0.0 if len(ids) == _FORGOTTEN_AT_ONCE else None

    def is_cancelled(self, job: Job) -> bool:
        """Whether what a job is about was cancelled."""
        mine = account_exports.c.id == int(job.subject), account_exports.c.state == AccountExportState.CANCELLED
        return bool(self._where(*mine))

    def end_cancelled(self, connection: Connection, job: Job, reason: str) -> None:
        """End the job and what it is about as cancelled. Raises Conflict."""
        cancel_job(connection, job, reason, self._jobs.now_us())
        self._end(connection, job, state=AccountExportState.CANCELLED, error=reason)

    def wait_anew(self, connection: Connection, job: Job) -> None:
        """Make the job and what it is about as if it were asked for now. Raises Conflict."""
        begin_job_anew(connection, job, self._jobs.now_us())
        values: dict[str, Any] = {"state": AccountExportState.WAITING, "error": None, "ended_at": None, "files": "[]"}
        values["created_at"] = self._clock.now_us()  # from then on its streams may take their time
        connection.execute(update(account_exports).where(account_exports.c.id == int(job.subject)).values(values))

    def _end(self, connection: Any, job: Job, **values: Any) -> None:
        ended = update(account_exports).where(account_exports.c.id == int(job.subject))
        connection.execute(ended.values(values | {"ended_at": self._clock.now_us()}))

    def _where(self, *where: ColumnElement[bool], limit: int | None = None) -> list[AccountExport]:
        query = select(*account_exports.c).where(*where).order_by(account_exports.c.id.desc()).limit(limit)
        with self._store.read() as connection:
            return [AccountExport.from_row(row) for row in connection.execute(query)]


class MeasuredLines:
    """Passes lines on and counts and hashes them."""

    def __init__(self, lines: Iterator[bytes]) -> None:
        self._lines = lines
        self._sha256 = hashlib.sha256()
        self.rows = self.bytes = 0

    def __iter__(self) -> Iterator[bytes]:
        for line in self._lines:
            self.rows += 1
            self.bytes += len(line)
            self._sha256.update(line)
            yield line

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()
