"""The queue of jobs: added in the transaction of what they are about, taken under a lease by any worker."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, func, or_, select, update
from sqlalchemy.sql.dml import ReturningUpdate

from airtally.database.rows import AnyRow, values_of
from airtally.database.store import MetadataStore
from airtally.database.tables import jobs
from airtally.jobs import turns
from airtally.jobs.leased_table import NO_LEASE, LeasedTable, LeaseLost
from airtally.jobs.setback import Setback
from airtally.jobs.states import UNENDED, JobState
from airtally.kit.clock import Clock
from airtally.kit.errors import Conflict, TooManyRequests
from airtally.kit.time import SECOND_US

LEASE_SECONDS = 60.0

#: Kinds of jobs that callers request without limit; an account may have MOST_WAITING of them unended.
ASKED_KINDS = ("report", "statistics")
MOST_WAITING = 1000

_LEASES = LeasedTable(jobs, JobState.READY, JobState.RUNNING, jobs.c.attempts)


class TooManyJobs(TooManyRequests):
    """The account has as many unended jobs as it may; this one was not stored."""

    retry_after = 30


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it was when read. Times in microseconds UTC.

    `attempts` counts the leases of the job, also those of workers that stopped or died, `attempts_before` those that it
    had when it was last begun anew.
    """

    id: int
    kind: str
    subject: str
    account_id: int | None
    state: JobState
    run_at: int
    attempts: int
    attempts_before: int
    lease_owner: str | None
    lease_until: int | None
    progress_done: int
    progress_total: int | None
    error: str | None
    created_at: int
    updated_at: int

    @property
    def tries(self) -> int:
        """How often it was begun since it was asked for, or begun anew."""
        return self.attempts - self.attempts_before

    @classmethod
    def from_row(cls, row: AnyRow) -> Job:
        values = values_of(row, jobs.c)
        return cls(**values | {"state": JobState(values["state"])})


class Jobs:
    """Thread-safe: each call is a transaction. `owner` is the id of this process.

    An account may have `most_waiting` unended jobs of ASKED_KINDS.
    """

    def __init__(self, store: MetadataStore, clock: Clock, owner: str, *, most_waiting: int = MOST_WAITING) -> None:
        self._store = store
        self._clock = clock
        self._setback = Setback()
        self._most_waiting = most_waiting
        self.owner = owner

    def now_us(self) -> int:
        """The time of the clock by which leases end."""
        return self._clock.now_us()

    def add(
        self, connection: Connection, kind: str, subject: str, account_id: int | None, run_at: int | None = None
    ) -> int:
        """Add a job, due at once without `run_at`, and return its id.

        Raises Conflict if the subject has a job of this kind, TooManyJobs where the account has too many.
        """
        now = self._clock.now_us()
        if kind in ASKED_KINDS and account_id is not None:
            self.check_room(connection, account_id)
        row = {
            "kind": kind,
            "subject": subject,
            "account_id": account_id,
            "state": JobState.READY,
            "run_at": now if run_at is None else run_at,
            "attempts": 0,
            "progress_done": 0,
            "created_at": now,
            "updated_at": now,
        }
        added = self._store.upserts.insert(jobs).values(row).on_conflict_do_nothing().returning(jobs.c.id)
        job_id = connection.execute(added).scalar_one_or_none()
        if job_id is None:
            raise Conflict(f"There is a job {kind!r} for {subject!r} already")
        return int(job_id)

    def check_room(self, connection: Connection, account_id: int) -> None:
        """Raises TooManyJobs where the account may not have one more of ASKED_KINDS."""
        turns.lock_adds(connection, account_id)
        unended = jobs.c.kind.in_(ASKED_KINDS), jobs.c.state.in_(UNENDED)
        query = select(func.count()).where(*unended, jobs.c.account_id == account_id)
        if connection.execute(query).scalar_one() >= self._most_waiting:
            raise TooManyJobs(
                f"{self._most_waiting} reports and statistics of this account wait already",
                hint="Ask again when some have ended; AIRTALLY_WAITING_JOBS sets how many may wait",
            )

    def claim(
        self, kinds: Collection[str], lease_seconds: float = LEASE_SECONDS, *, each: int | None = None
    ) -> Job | None:
        """Take a due job of the account whose turn it is; None if no job is due.

        An account has at most `each` jobs of a kind under way in this process. Where no job is due,
        this costs two index reads for each kind and no lock.
        """
        now = self._clock.now_us()
        self._mend_clock(now)
        for kind in kinds:
            if self._has_work(kind, now, each) and (job := self._claim(kind, now, lease_seconds, each)) is not None:
                return job
        return None

    def _has_work(self, kind: str, now: int, each: int | None) -> bool:
        with self._store.read() as connection:
            if not connection.execute(turns.ANY_WORK, {"kind": kind, "now": now}).scalar_one():
                return False
            lost = select(jobs.c.id).where(jobs.c.kind == kind, _LEASES.orphaned(now)).limit(1)
            return connection.execute(lost).first() is not None or bool(self._next(connection, kind, now, each))

    def _claim(self, kind: str, now: int, lease_seconds: float, each: int | None) -> Job | None:
        """Make jobs whose lease has ended ready first: they, too, wait for their account's turn."""
        with self._store.begin() as connection:
            turns.lock_claims(connection, kind)
            connection.execute(_LEASES.released().where(jobs.c.kind == kind, _LEASES.orphaned(now)))
            while (found := self._next(connection, kind, now, each)) is not None:
                job_id, account_id = found
                free = jobs.c.id == job_id, jobs.c.state == JobState.READY
                job = _job_of(connection.execute(self._taken(now, lease_seconds).where(*free)).one_or_none())
                if job is None:
                    continue  # `take` got it in between
                if account_id is not None:
                    turns.serve(self._store, connection, kind, account_id)
                return job
        return None

    def _next(self, connection: Connection, kind: str, now: int, each: int | None) -> tuple[int, int | None] | None:
        """Id and account of the next job."""
        asked = {"kind": kind, "owner": self.owner, "now": now, "each": each or 1 << 30}
        found = connection.execute(turns.NEXT_JOB, asked).one_or_none()
        if found is not None:
            return int(found.id), int(found.account_id)
        of_nobody = connection.execute(turns.NEXT_OF_NOBODY, asked).one_or_none()
        return None if of_nobody is None else (int(of_nobody.id), None)

    def _mend_clock(self, now: int) -> None:
        """After the clock went back, move due times and leases by as much, so that no job is delayed."""
        if not self._setback.happened(now):
            return
        late = jobs.c.updated_at > now + SECOND_US, jobs.c.state.in_(UNENDED)
        with self._store.begin() as connection:
            connection.execute(update(jobs).where(*late).values(_set_back(now)))

    def take(self, kind: str, subject: str, lease_seconds: float = LEASE_SECONDS) -> Job | None:
        """Take a certain job, due or not; None while another worker holds it, and where there is none."""
        now = self._clock.now_us()
        free = or_(jobs.c.state != JobState.RUNNING, _LEASES.orphaned(now))
        taken = self._taken(now, lease_seconds).where(jobs.c.kind == kind, jobs.c.subject == subject, free)
        with self._store.begin() as connection:
            return _job_of(connection.execute(taken).one_or_none())

    def get(self, job_id: int) -> Job | None:
        return self._one(jobs.c.id == job_id)

    def latest(
        self,
        account_id: int | None,
        *,
        state: JobState | None = None,
        kind: str | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> list[Job]:
        """Newest first, from the one before the id `before`; None for all accounts, and for jobs of none."""
        asked = {jobs.c.account_id: account_id, jobs.c.state: state, jobs.c.kind: kind}
        where = [column == value for column, value in asked.items() if value is not None]
        where += [] if before is None else [jobs.c.id < before]
        query = select(*jobs.c).where(*where).order_by(jobs.c.id.desc()).limit(limit)
        with self._store.read() as connection:
            return [Job.from_row(row) for row in connection.execute(query)]

    def find(self, kind: str, subject: str) -> Job | None:
        return self._one(jobs.c.kind == kind, jobs.c.subject == subject)

    def counts(self) -> dict[tuple[str, JobState], int]:
        """The number of jobs by kind and state."""
        query = select(jobs.c.kind, jobs.c.state, func.count()).group_by(jobs.c.kind, jobs.c.state)
        with self._store.read() as connection:
            return {(kind, JobState(state)): count for kind, state, count in connection.execute(query)}

    def oldest_running(self, besides: str = "") -> int | None:
        """When the oldest running job of another kind was added.

        Maintenance keeps the rows and files that it may still read.
        """
        query = select(func.min(jobs.c.created_at)).where(jobs.c.state == JobState.RUNNING, jobs.c.kind != besides)
        with self._store.read() as connection:
            oldest: int | None = connection.execute(query).scalar_one()
            return oldest

    def renew(self, job: Job, lease_seconds: float = LEASE_SECONDS) -> None:
        """Extend the lease. Raises LeaseLost."""
        with self._store.begin() as connection:
            self.renew_within(connection, job, lease_seconds)

    def renew_within(self, connection: Connection, job: Job, lease_seconds: float = LEASE_SECONDS) -> None:
        """As `renew`, in the transaction of what is done under the lease."""
        self._change(connection, job, lease_until=self._until(lease_seconds))

    def progress(self, job: Job, done: int, total: int | None = None, *, lease_seconds: float = LEASE_SECONDS) -> None:
        """Record the progress and extend the lease. Raises LeaseLost."""
        with self._store.begin() as connection:
            self.progress_within(connection, job, done, total, lease_seconds=lease_seconds)

    def progress_within(
        self,
        connection: Connection,
        job: Job,
        done: int,
        total: int | None = None,
        *,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        """As `progress`, in the transaction of what was done."""
        until = self._until(lease_seconds)
        self._change(connection, job, progress_done=done, progress_total=total, lease_until=until)

    def finish(self, connection: Connection, job: Job) -> None:
        """End the job as done. Call this in the transaction of its result. Raises LeaseLost."""
        self._change(connection, job, state=JobState.DONE, error=None, **NO_LEASE)

    def fail(self, connection: Connection, job: Job, error: str) -> None:
        """End the job as failed, with the reason in words. Raises LeaseLost."""
        self._change(connection, job, state=JobState.FAILED, error=error, **NO_LEASE)

    def retry(self, connection: Connection, job: Job, run_at: int, error: str) -> None:
        """Make the job ready again, due at `run_at`. Raises LeaseLost."""
        self._change(connection, job, state=JobState.READY, run_at=run_at, error=error, **NO_LEASE)

    def again(self, connection: Connection, job: Job, run_at: int) -> None:
        """End one run of a recurring job: it is ready as if added now, due at `run_at`. Raises LeaseLost."""
        made = self._clock.now_us()
        values = {"state": JobState.READY, "run_at": run_at, "created_at": made, "error": None}
        self._change(connection, job, **values, **NO_LEASE)

    def put_off(self, job: Job, seconds: float, error: str) -> None:
        """As `retry`, `seconds` from now and in a transaction of its own."""
        with self._store.begin() as connection:
            self.retry(connection, job, self._clock.now_us() + round(seconds * SECOND_US), error)

    def release(self, job: Job) -> None:
        """Hand back a job unfinished, as when the process stops. Does nothing if the lease is lost."""
        with self._store.begin() as connection:
            connection.execute(_LEASES.released(updated_at=self._clock.now_us()).where(*self._held(job)))

    def let_go(self, job: Job) -> None:
        """Say that this process no longer works on a job that was cancelled: it may be begun anew."""
        mine = jobs.c.id == job.id, jobs.c.lease_owner == self.owner, jobs.c.attempts == job.attempts
        with self._store.begin() as connection:
            connection.execute(update(jobs).where(*mine, jobs.c.state == JobState.CANCELLED).values(NO_LEASE))

    def release_all(self) -> int:
        """Hand back every job that this process holds. Returns how many."""
        with self._store.begin() as connection:
            held = _LEASES.held_rows(self.owner)
            return int(connection.execute(_LEASES.released(updated_at=self._clock.now_us()).where(*held)).rowcount)

    def release_gone(self, is_gone: Callable[[str], bool]) -> int:
        """Hand back the jobs of processes known to have ended, before their leases do. Returns how many."""
        ended = jobs.c.state == JobState.CANCELLED
        with self._store.begin() as connection:
            held = select(jobs.c.lease_owner).distinct().where(ended, jobs.c.lease_owner.is_not(None))
            gone = [owner for owner in connection.execute(held).scalars() if is_gone(owner)]
            connection.execute(update(jobs).where(ended, jobs.c.lease_owner.in_(gone)).values(NO_LEASE))
            return _LEASES.release_gone(connection, is_gone, updated_at=self._clock.now_us())

    def forget(self, connection: Connection, kind: str, subject: str) -> None:
        """Delete a job together with its subject; a worker that holds it gets LeaseLost."""
        connection.execute(jobs.delete().where(jobs.c.kind == kind, jobs.c.subject == subject))

    def _change(self, connection: Connection, job: Job, **values: Any) -> None:
        changed = update(jobs).where(*self._held(job)).values(values | {"updated_at": self._clock.now_us()})
        if connection.execute(changed).rowcount != 1:
            raise LeaseLost(f"Job {job.id} ({job.kind} {job.subject}) is no longer held by {self.owner}")

    def _held(self, job: Job) -> tuple[ColumnElement[bool], ...]:
        return _LEASES.held_rows(self.owner, job.id, job.attempts)

    def _taken(self, now: int, lease_seconds: float) -> ReturningUpdate[Any]:
        return _LEASES.taken(self.owner, now + round(lease_seconds * SECOND_US), updated_at=now)

    def _until(self, lease_seconds: float) -> int:
        return self._clock.now_us() + round(lease_seconds * SECOND_US)

    def _one(self, *where: ColumnElement[bool]) -> Job | None:
        with self._store.read() as connection:
            return _job_of(connection.execute(select(*jobs.c).where(*where)).one_or_none())


def _set_back(now: int) -> dict[str, Any]:
    """Waits begin again at `now`; a job due at a certain time (a publication) keeps it."""
    by_clock = jobs.c.error.is_(None) & (jobs.c.run_at > jobs.c.created_at)
    waits = jobs.c.run_at - jobs.c.updated_at
    return {
        "run_at": case((by_clock, jobs.c.run_at), (waits > 0, now + waits), else_=now),
        "lease_until": now + (jobs.c.lease_until - jobs.c.updated_at),
        "created_at": case((jobs.c.created_at > now, now), else_=jobs.c.created_at),
        "updated_at": now,
    }


def _job_of(row: AnyRow | None) -> Job | None:
    return None if row is None else Job.from_row(row)
