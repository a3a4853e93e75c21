"""Cancels jobs and begins them anew: job, subject and audit trail change in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Connection

from airtally.accounts.acting import current_actor
from airtally.accounts.audit import note_change
from airtally.database.store import MetadataStore
from airtally.jobs.interrupt import AfterChange, JobSubject
from airtally.jobs.queue import Job, Jobs
from airtally.jobs.states import JobState
from airtally.kit.clock import Clock
from airtally.kit.errors import Conflict

_Change = Callable[[Connection], AfterChange]


class JobControl:
    """Thread-safe: of two who change a job, the second finds it changed."""

    def __init__(self, store: MetadataStore, clock: Clock, jobs: Jobs, subjects: Sequence[JobSubject]) -> None:
        """`subjects` change what jobs of their kinds are about; other kinds cannot be cancelled or begun anew."""
        self._store = store
        self._clock = clock
        self._jobs = jobs
        self._subjects = {kind: each for each in subjects for kind in each.job_kinds}

    def cancel(self, job: Job) -> Job:
        """End a job on behalf of the current actor; returns it as it is then. Again, it does nothing.

        Raises Conflict for a job that has ended otherwise, and for one of a kind that is never cancelled.
        """
        if job.state is JobState.CANCELLED:
            return job
        reason = f"Cancelled by {current_actor()}"
        subject = self._subject(job, "cancelled")
        return self._changed(job, "job.cancel", lambda connection: subject.cancel_within(connection, job, reason))

    def retry(self, job: Job) -> Job:
        """Begin a failed or cancelled job anew; returns it as it is then.

        Raises Conflict for one that has not ended so, or whose worker has not stopped yet; TooManyRequests where the
        account has too many under way.
        """
        subject = self._subject(job, "begun anew")
        return self._changed(job, "job.retry", lambda connection: subject.begin_anew_within(connection, job))

    def _subject(self, job: Job, what: str) -> JobSubject:
        found = self._subjects.get(job.kind)
        if found is None:
            raise Conflict(f"Job {job.id} cannot be {what}: it is of the kind {job.kind}, and goes on until it is done")
        return found

    def _changed(self, job: Job, action: str, change: _Change) -> Job:
        with self._store.begin() as connection:
            after = change(connection)
            at, target = self._clock.now_us(), f"job {job.id}"
            details = {"kind": job.kind, "subject": job.subject}
            note_change(connection, at, action, target, account_id=job.account_id, **details)
        after()
        found = self._jobs.get(job.id)
        if found is None:
            raise Conflict(f"Job {job.id} is gone")
        return found
