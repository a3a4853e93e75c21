"""Requests for statistics in the metadata store: added, found, ended, and removed a day later."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import Connection, Select, delete, insert, select, update

from airtally.accounts.accounts import ACCOUNT_COLUMNS, IS_OPEN, Account
from airtally.database.rows import AnyRow, values_of
from airtally.database.store import MetadataStore
from airtally.database.tables import accounts, statistics
from airtally.jobs.interrupt import AfterChange, begin_job_anew, cancel_job
from airtally.jobs.queue import Job, Jobs
from airtally.kit.clock import Clock
from airtally.kit.loops import wake_all
from airtally.kit.time import DAY_US
from airtally.statistics.asked import Asked, TagStatistics, asked_of, kept

#: Kind of the jobs that compute statistics; the subject is the request's id.
JOB_KIND = "statistics"
#: How long results and their files are kept after they are ready.
KEPT_US = DAY_US

_OWN = (
    *(statistics.c.request_id, statistics.c.parameters, statistics.c.status, statistics.c.result),
    *(statistics.c.file_name, statistics.c.data_through, statistics.c.expires_at),
)


class StatisticState(StrEnum):
    """As the database names it."""

    WAITING = "waiting"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Statistic:
    """A request and its result. `status` is waiting, ready or failed.

    `result` is JSON: the figures, or for a file (`file_name`) its size, hash and number of lines.
    """

    request_id: str
    asked: Asked
    status: StatisticState
    result: bytes | None
    file_name: str | None
    data_through: int | None
    expires_at: int | None

    @classmethod
    def from_row(cls, row: AnyRow) -> Statistic:
        values = values_of(row, _OWN)
        asked, status = asked_of(values.pop("parameters")), StatisticState(values.pop("status"))
        return cls(**values, asked=asked, status=status)

    @property
    def ended_at(self) -> int:
        """When the computation ended, in microseconds UTC; only for a request that has ended."""
        return (self.expires_at or 0) - KEPT_US


class Statistics:
    """Adds requests and notes their results. `on_asked` is called after each new request, to wake the worker.

    Thread-safe: each change is one transaction; `on_asked` is filled before the first request.
    """

    job_kinds: ClassVar[tuple[str, ...]] = (JOB_KIND,)

    def __init__(self, store: MetadataStore, clock: Clock, jobs: Jobs) -> None:
        self._store = store
        self._clock = clock
        self._jobs = jobs
        self.on_asked: list[Callable[[], None]] = []

    def ask(self, account: Account, asked: Asked) -> str:
        """Add a request with its job, in one transaction; returns the id that its result is found by."""
        request_id = f"DC1_{secrets.token_hex(16)}"
        values = {
            "request_id": request_id,
            "account_id": account.id,
            "method": asked.__struct_config__.tag,
            "parameters": kept(asked),
            "status": StatisticState.WAITING,
            "file_name": f"{secrets.token_hex(16)}.csv" if isinstance(asked, TagStatistics) else None,
            "created_at": self._clock.now_us(),
        }
        with self._store.begin() as connection:
            connection.execute(insert(statistics).values(values))
            self._jobs.add(connection, JOB_KIND, request_id, account.id)
        wake_all(self.on_asked)
        return request_id

    def find(self, account: Account, request_id: str) -> Statistic | None:
        """A request of the account; None if there is none of that id, or it has expired."""
        own = statistics.c.account_id == account.id
        return self._one(select(*_OWN).where(own, statistics.c.request_id == request_id))

    def by_file(self, file_name: str) -> Statistic | None:
        """The ready statistic of a file. The name is secret and permits the download."""
        ready = statistics.c.status == StatisticState.READY, statistics.c.file_name == file_name
        return self._one(select(*_OWN).join_from(statistics, accounts).where(*ready, IS_OPEN))

    def of_job(self, job: Job) -> tuple[Account, Statistic]:
        """The account and request of a job."""
        query = select(*ACCOUNT_COLUMNS, *_OWN).join(statistics, statistics.c.account_id == accounts.c.id)
        with self._store.read() as connection:
            row = connection.execute(query.where(statistics.c.request_id == job.subject)).one()
        return Account.from_row(row), Statistic.from_row(row)

    def succeed(self, job: Job, result: bytes, data_through: int) -> None:
        """Note the result and end the job; a file is stored by now. Raises LeaseLost."""
        with self._store.begin() as connection:
            self._jobs.finish(connection, job)
            self._end(connection, job, status=StatisticState.READY, result=result, data_through=data_through)

    def fail(self, job: Job, reason: str) -> None:
        """Note that the request failed and end the job. Raises LeaseLost."""
        with self._store.begin() as connection:
            self._jobs.fail(connection, job, reason)
            self._end(connection, job, status=StatisticState.FAILED)

    def cancel_within(self, connection: Connection, job: Job, reason: str) -> AfterChange:
        """As `JobSubject` says; to whoever asks for the result, the request has failed."""
        cancel_job(connection, job, reason, self._jobs.now_us())
        self._end(connection, job, status=StatisticState.FAILED)
        return lambda: None

    def begin_anew_within(self, connection: Connection, job: Job) -> AfterChange:
        """As `JobSubject` says. Raises TooManyJobs, too."""
        if job.account_id is not None:
            self._jobs.check_room(connection, job.account_id)
        begin_job_anew(connection, job, self._jobs.now_us())
        waiting = {"status": StatisticState.WAITING, "result": None, "data_through": None, "expires_at": None}
        connection.execute(update(statistics).where(statistics.c.request_id == job.subject).values(waiting))
        return lambda: wake_all(self.on_asked)

    def expired(self, limit: int = 100) -> list[Statistic]:
        """Requests of all accounts that have expired."""
        over = statistics.c.expires_at <= self._clock.now_us()
        with self._store.read() as connection:
            return [Statistic.from_row(row) for row in connection.execute(select(*_OWN).where(over).limit(limit))]

    def forget(self, gone: list[Statistic]) -> None:
        """Remove requests whose files are deleted."""
        with self._store.begin() as connection:
            for each in gone:
                self._jobs.forget(connection, JOB_KIND, each.request_id)
            ids = [each.request_id for each in gone]
            connection.execute(delete(statistics).where(statistics.c.request_id.in_(ids)))

    def _end(self, connection: Connection, job: Job, **values: Any) -> None:
        expires_at = self._clock.now_us() + KEPT_US
        ended = update(statistics).where(statistics.c.request_id == job.subject)
        connection.execute(ended.values(expires_at=expires_at, **values))

    def _one(self, query: Select[Any]) -> Statistic | None:
        with self._store.read() as connection:
            row = connection.execute(query).one_or_none()
        found = None if row is None else Statistic.from_row(row)
        if found is None or (found.expires_at is not None and found.expires_at <= self._clock.now_us()):
            return None
        return found


def storage_name(file_name: str) -> str:
    """The name of a statistic's file in the file store."""
    return f"statistics/{file_name}"
