"""Cancels jobs and begins ended ones anew, in the transaction that changes what they are about.

A cancelled job keeps the lease of the worker that still holds it: that worker finds out at its next renewal and lets
go. Until then, or until the lease ends, the job cannot be begun anew, so that no two workers write for one subject.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Protocol

from sqlalchemy import ColumnElement, Connection, or_, select, update

from airtally.database.tables import jobs
from airtally.jobs.leased_table import NO_LEASE
from airtally.jobs.queue import Job
from airtally.jobs.states import UNENDED, JobState
from airtally.kit.errors import Conflict

#: The states of jobs that may be begun anew.
REPEATABLE = (JobState.FAILED, JobState.CANCELLED)
_LOOK_AGAIN = 5

#: Called after the transaction.
AfterChange = Callable[[], None]


class JobSubject(Protocol):
    """What jobs of some kinds are about: it changes with its job, in one transaction."""

    job_kinds: ClassVar[tuple[str, ...]]

    def cancel_within(self, connection: Connection, job: Job, reason: str) -> AfterChange:
        """End the job and its subject as cancelled, with the reason in words. Raises Conflict where it has ended."""
        ...

    def begin_anew_within(self, connection: Connection, job: Job) -> AfterChange:
        """Make the job and its subject as if it were asked for now. Raises Conflict where it has not ended so."""
        ...


def cancel_job(connection: Connection, job: Job, reason: str, now: int) -> None:
    """End a job that has not ended. Raises Conflict."""
    values = {"state": JobState.CANCELLED, "error": reason, "updated_at": now}
    _change_job(connection, job, values, jobs.c.state.in_(UNENDED))


def put_job_off(connection: Connection, job: Job, run_at: int, reason: str, now: int) -> None:
    """End the run that is under way of a recurring job, which is due again at `run_at`. Raises Conflict."""
    values = {"state": JobState.READY, "run_at": run_at, "error": reason, "created_at": now, "updated_at": now}
    _change_job(connection, job, {**values, **NO_LEASE}, jobs.c.state == JobState.RUNNING)


def begin_job_anew(connection: Connection, job: Job, now: int) -> None:
    """Make a failed or cancelled job ready as if it were added now. Raises Conflict, also until its worker has stopped."""
    has_stopped = or_(jobs.c.lease_until.is_(None), jobs.c.lease_until <= now)
    begun = {"state": JobState.READY, "run_at": now, "created_at": now, "updated_at": now, "error": None}
    begun |= {"attempts_before": jobs.c.attempts, "progress_done": 0, "progress_total": None}
    _change_job(connection, job, {**begun, **NO_LEASE}, jobs.c.state.in_(REPEATABLE), has_stopped)


def _change_job(connection: Connection, job: Job, values: dict[str, Any], *where: ColumnElement[bool]) -> None:
    if connection.execute(update(jobs).where(jobs.c.id == job.id, *where).values(values)).rowcount == 1:
        return
    state = connection.execute(select(jobs.c.state).where(jobs.c.id == job.id)).scalar_one_or_none()
    if state == JobState.CANCELLED and values["state"] == JobState.READY:
        raise Conflict(f"Job {job.id} is cancelled, and its worker is about to stop", retry_after=_LOOK_AGAIN)
    raise Conflict(f"Job {job.id} is {state or 'gone'}")
