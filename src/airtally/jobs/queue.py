"""Jobs are rows with a lease: written in the transaction of what they are about, taken by any worker."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, func, or_, select, update
from sqlalchemy.sql.dml import ReturningUpdate

from airtally.database.store import MetadataStore
from airtally.database.tables import jobs
from airtally.jobs import turns
from airtally.jobs.setback import Setback
from airtally.kit.clock import Clock
from airtally.kit.errors import Conflict, Failure, TooManyRequests
from airtally.kit.time import SECOND_US

LEASE_SECONDS = 60.0

#: Kinds of jobs that callers ask for, as many as they like; an account has so many waiting or under way at once.
ASKED_KINDS = ("report", "statistics")
MOST_WAITING = 1000


class LeaseLost(Failure):
    """Another worker has taken the job over; this one must write nothing more of it."""

    code = "lease_lost"


class TooManyJobs(TooManyRequests):
    """An account has as many jobs as it may; nothing of this one is stored."""

    retry_after = 30


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it was when read. `state` is ready, running, done or failed; times in microseconds UTC.

    `attempts` counts how often the job was taken, also by workers that stopped or died.
    """

    id: int
    kind: str
    subject: str
    account_id: int | None
    state: str
    run_at: int
    attempts: int
    lease_owner: str | None
    lease_until: int | None
    progress_done: int
    progress_total: int | None
    error: str | None
    created_at: int
    updated_at: int


class Jobs:
    """`owner` names this process among all that share the store. Thread-safe.

    An account may have `most_waiting` jobs of the kinds that are asked for waiting or under way.
    """

    def __init__(self, store: MetadataStore, clock: Clock, owner: str, *, most_waiting: int = MOST_WAITING) -> None:
        self._store = store
        self._clock = clock
        self._setback = Setback()
        self._most_waiting = most_waiting
        self.owner = owner

    def add(
        self, connection: Connection, kind: str, subject: str, account_id: int | None, run_at: int | None = None
    ) -> int:
        """The new job's id. Due at once without `run_at`.

        Raises Conflict if the subject has such a job, and TooManyJobs where the account has too many.
        """
        now = self._clock.now_us()
        if kind in ASKED_KINDS and account_id is not None:
            self._check_room(connection, account_id)
        row = {
            "kind": kind,
            "subject": subject,
            "account_id": account_id,
            "state": "ready",
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

    def _check_room(self, connection: Connection, account_id: int) -> None:
        turns.lock_adds(connection, account_id)
        unended = jobs.c.kind.in_(ASKED_KINDS), jobs.c.state.in_(("ready", "running"))
        query = select(func.count()).where(*unended, jobs.c.account_id == account_id)
        if connection.execute(query).scalar_one() >= self._most_waiting:
            raise TooManyJobs(
                f"{self._most_waiting} reports and statistics of this account wait already",
                hint="Ask again when some have ended; AIRTALLY_WAITING_JOBS sets how many may wait",
            )

    def claim(
        self, kinds: Collection[str], lease_seconds: float = LEASE_SECONDS, *, each: int | None = None
    ) -> Job | None:
        """Take a due job of the account whose turn it is; None when there is nothing to do.

        An account has at most `each` jobs of a kind under way in this process. With nothing to do this is two reads
        of an index for each kind, and no lock.
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
            lost = select(jobs.c.id).where(*_orphaned(kind, now)).limit(1)
            return connection.execute(lost).first() is not None or bool(self._next(connection, kind, now, each))

    def _claim(self, kind: str, now: int, lease_seconds: float, each: int | None) -> Job | None:
        """Jobs of workers that are gone become ready first: they, too, wait for their account's turn."""
        with self._store.begin() as connection:
            turns.lock_claims(connection, kind)
            connection.execute(update(jobs).where(*_orphaned(kind, now)).values(state="ready", **_NO_LEASE))
            while (found := self._next(connection, kind, now, each)) is not None:
                job_id, account_id = found
                free = jobs.c.id == job_id, jobs.c.state == "ready"
                job = _job(connection.execute(_taken(self.owner, now, lease_seconds).where(*free)).one_or_none())
                if job is None:
                    continue  # taken by name in this moment
                if account_id is not None:
                    turns.serve(self._store, connection, kind, account_id)
                return job
        return None

    def _next(self, connection: Connection, kind: str, now: int, each: int | None) -> tuple[int, int | None] | None:
        """Id and account."""
        asked = {"kind": kind, "owner": self.owner, "now": now, "each": each or 1 << 30}
        found = connection.execute(turns.NEXT_JOB, asked).one_or_none()
        if found is not None:
            return int(found.id), int(found.account_id)
        of_nobody = connection.execute(turns.NEXT_OF_NOBODY, asked).one_or_none()
        return None if of_nobody is None else (int(of_nobody.id), None)

    def _mend_clock(self, now: int) -> None:
        """Where the clock went back, nothing that was due or waits for a time is delayed by as much."""
        if not self._setback.happened(now):
            return
        late = jobs.c.updated_at > now + SECOND_US, jobs.c.state.in_(("ready", "running"))
        with self._store.begin() as connection:
            connection.execute(update(jobs).where(*late).values(_set_back(now)))

    def take(self, kind: str, subject: str, lease_seconds: float = LEASE_SECONDS) -> Job | None:
        """One job, due or not; None while another worker has it, or where there is none."""
        now = self._clock.now_us()
        free = or_(jobs.c.state != "running", jobs.c.lease_until <= now)
        taken = _taken(self.owner, now, lease_seconds).where(jobs.c.kind == kind, jobs.c.subject == subject, free)
        with self._store.begin() as connection:
            return _job(connection.execute(taken).one_or_none())

    def get(self, job_id: int) -> Job | None:
        return self._one(jobs.c.id == job_id)

    def find(self, kind: str, subject: str) -> Job | None:
        return self._one(jobs.c.kind == kind, jobs.c.subject == subject)

    def counts(self) -> dict[tuple[str, str], int]:
        """How many jobs there are by kind and state."""
        query = select(jobs.c.kind, jobs.c.state, func.count()).group_by(jobs.c.kind, jobs.c.state)
        with self._store.read() as connection:
            return {(kind, state): count for kind, state, count in connection.execute(query)}

    def oldest_running(self) -> int | None:
        """When the longest-waiting of the jobs under way was made; what it reads must stay."""
        query = select(func.min(jobs.c.created_at)).where(jobs.c.state == "running")
        with self._store.read() as connection:
            oldest: int | None = connection.execute(query).scalar_one()
            return oldest

    def renew(self, job: Job, lease_seconds: float = LEASE_SECONDS) -> None:
        """Keep the job for longer. Raises LeaseLost."""
        with self._store.begin() as connection:
            self._change(connection, job, lease_until=self._until(lease_seconds))

    def progress(self, job: Job, done: int, total: int | None = None, *, lease_seconds: float = LEASE_SECONDS) -> None:
        """Note how far the job is and renew its lease. Raises LeaseLost."""
        with self._store.begin() as connection:
            self._change(
                connection, job, progress_done=done, progress_total=total, lease_until=self._until(lease_seconds)
            )

    def finish(self, connection: Connection, job: Job) -> None:
        """Done; to be called in the transaction of the job's result. Raises LeaseLost."""
        self._change(connection, job, state="done", error=None, **_NO_LEASE)

    def fail(self, connection: Connection, job: Job, error: str) -> None:
        """Given up, with the reason in words. Raises LeaseLost."""
        self._change(connection, job, state="failed", error=error, **_NO_LEASE)

    def retry(self, connection: Connection, job: Job, run_at: int, error: str) -> None:
        """To be tried again at `run_at`. Raises LeaseLost."""
        self._change(connection, job, state="ready", run_at=run_at, error=error, **_NO_LEASE)

    def again(self, connection: Connection, job: Job, run_at: int) -> None:
        """Done for this time, and as if made anew, due at `run_at`: the end of a job that comes back. Raises LeaseLost."""
        made = self._clock.now_us()
        self._change(connection, job, state="ready", run_at=run_at, created_at=made, error=None, **_NO_LEASE)

    def put_off(self, job: Job, seconds: float, error: str) -> None:
        """The same in a transaction of its own, `seconds` from now."""
        with self._store.begin() as connection:
            self.retry(connection, job, self._clock.now_us() + round(seconds * SECOND_US), error)

    def release(self, job: Job) -> None:
        """Hand a job back that this process will not end, such as when it stops. A lost lease is no error."""
        with self._store.begin() as connection:
            connection.execute(update(jobs).where(*self._held(job)).values(self._values(state="ready", **_NO_LEASE)))

    def release_all(self) -> int:
        """Hand back every job this process holds; returns how many."""
        held = update(jobs).where(jobs.c.state == "running", jobs.c.lease_owner == self.owner)
        with self._store.begin() as connection:
            return int(connection.execute(held.values(self._values(state="ready", **_NO_LEASE))).rowcount)

    def release_gone(self, is_gone: Callable[[str], bool]) -> int:
        """Hand back the jobs of processes that are known to be gone, before their leases end; returns how many."""
        running = select(jobs.c.lease_owner).distinct().where(jobs.c.state == "running")
        with self._store.begin() as connection:
            gone = [owner for owner in connection.execute(running).scalars() if owner and is_gone(owner)]
            held = update(jobs).where(jobs.c.state == "running", jobs.c.lease_owner.in_(gone))
            return int(connection.execute(held.values(self._values(state="ready", **_NO_LEASE))).rowcount)

    def forget(self, connection: Connection, kind: str, subject: str) -> None:
        """Remove a job with what it was about; a worker that has it meets LeaseLost."""
        connection.execute(jobs.delete().where(jobs.c.kind == kind, jobs.c.subject == subject))

    def _change(self, connection: Connection, job: Job, **values: Any) -> None:
        changed = connection.execute(update(jobs).where(*self._held(job)).values(self._values(**values)))
        if changed.rowcount != 1:
            raise LeaseLost(f"Job {job.id} ({job.kind} {job.subject}) is no longer held by {self.owner}")

    def _values(self, **values: Any) -> dict[str, Any]:
        return values | {"updated_at": self._clock.now_us()}

    def _held(self, job: Job) -> tuple[ColumnElement[bool], ...]:
        """`attempts` tells this taking from a later one by the same process."""
        return (
            jobs.c.id == job.id,
            jobs.c.state == "running",
            jobs.c.lease_owner == self.owner,
            jobs.c.attempts == job.attempts,
        )

    def _until(self, lease_seconds: float) -> int:
        return self._clock.now_us() + round(lease_seconds * SECOND_US)

    def _one(self, *where: ColumnElement[bool]) -> Job | None:
        with self._store.read() as connection:
            return _job(connection.execute(select(*jobs.c).where(*where)).one_or_none())


_NO_LEASE: dict[str, Any] = {"lease_owner": None, "lease_until": None}


def _taken(owner: str, now: int, lease_seconds: float) -> ReturningUpdate[Any]:
    values = {
        "state": "running",
        "lease_owner": owner,
        "lease_until": now + round(lease_seconds * SECOND_US),
        "attempts": jobs.c.attempts + 1,
        "updated_at": now,
    }
    return update(jobs).values(values).returning(*jobs.c)


def _orphaned(kind: str, now: int) -> tuple[ColumnElement[bool], ...]:
    """Jobs whose worker let its lease end."""
    return jobs.c.kind == kind, jobs.c.state == "running", jobs.c.lease_until <= now


def _set_back(now: int) -> dict[str, Any]:
    """Waits begin anew at `now`; what comes due by the clock (a publication) stays due by it."""
    by_clock = jobs.c.error.is_(None) & (jobs.c.run_at > jobs.c.created_at)
    waits = jobs.c.run_at - jobs.c.updated_at
    return {
        "run_at": case((by_clock, jobs.c.run_at), (waits > 0, now + waits), else_=now),
        "lease_until": now + (jobs.c.lease_until - jobs.c.updated_at),
        "created_at": case((jobs.c.created_at > now, now), else_=jobs.c.created_at),
        "updated_at": now,
    }


def _job(row: Any) -> Job | None:
    return None if row is None else Job(*row)
