"""`/api/v1/jobs`: work in the background, its state and progress."""

from __future__ import annotations

import msgspec

from airtally.accounts.permissions import Permission
from airtally.api.operation import OperationCall, PlainCall, operation
from airtally.api.pages import ListingPage, PageQuery, page_of
from airtally.api.times import shown_moment
from airtally.jobs.queue import Job
from airtally.jobs.states import JobState
from airtally.kit.errors import Conflict, Forbidden, NotFound, TooManyRequests
from airtally.services import Services


class JobsQuery(PageQuery):
    """`state`, `kind`: of these only. `everywhere`: of all accounts and of none, for operators."""

    state: JobState | None = None
    kind: str | None = None
    everywhere: bool = False


class JobAnswer(msgspec.Struct, frozen=True):
    """`subject`: the id of what it is about. `attempts`: how often it was begun. `progress_total`: null if unknown."""

    id: int
    kind: str
    subject: str
    state: JobState
    attempts: int
    progress_done: int
    progress_total: int | None
    error: str | None
    run_at: str
    created_at: str
    updated_at: str


class JobResource:
    def __init__(self, services: Services) -> None:
        self._jobs = services.jobs
        self._control = services.job_control()

    @operation("GET", "/jobs", Permission.READ, "List jobs", failures=(Forbidden,))
    def list_jobs(self, call: OperationCall[JobsQuery, None]) -> ListingPage[JobAnswer]:
        """The newest first."""
        query = call.query
        if query.everywhere and not call.may(Permission.OPERATOR):
            raise Forbidden("Only operators see the jobs of all accounts")
        found = self._jobs.latest(
            None if query.everywhere else call.account.id,
            state=query.state,
            kind=query.kind,
            before=query.position,
            limit=query.limit + 1,
        )
        return page_of(found, query.limit, _job_answer, lambda each: each.id)

    @operation("GET", "/jobs/{job_id}", Permission.READ, "Get a job", failures=(NotFound,))
    def get_job(self, call: PlainCall) -> JobAnswer:
        """For an operator, also of another account or of none."""
        return _job_answer(self._asked_job(call))

    @operation(
        *("POST", "/jobs/{job_id}/cancel", Permission.ADMIN, "Cancel a job"),
        failures=(NotFound, Conflict),
    )
    def cancel_job(self, call: PlainCall) -> JobAnswer:
        """It ends at once, and what it was about says who cancelled it; a worker that runs it stops within seconds.

        Again, it is no error. A publication comes due again at its next slot; an erasure cannot be cancelled.
        """
        return _job_answer(self._control.cancel(self._asked_job(call)))

    @operation(
        *("POST", "/jobs/{job_id}/retry", Permission.ADMIN, "Begin a job anew"),
        failures=(NotFound, Conflict, TooManyRequests),
    )
    def retry_job(self, call: PlainCall) -> JobAnswer:
        """One that failed or was cancelled, as if it were asked for now.

        With the rows received by now, under the same id.
        """
        return _job_answer(self._control.retry(self._asked_job(call)))

    def _asked_job(self, call: PlainCall) -> Job:
        """Raises NotFound for another account's job, but for an operator."""
        job = self._jobs.get(call.number("job_id"))
        if job is None or (job.account_id != call.account.id and not call.may(Permission.OPERATOR)):
            raise NotFound(f"There is no job {call.number('job_id')}")
        return job


def _job_answer(job: Job) -> JobAnswer:
    return JobAnswer(
        id=job.id,
        kind=job.kind,
        subject=job.subject,
        state=job.state,
        attempts=job.attempts,
        progress_done=job.progress_done,
        progress_total=job.progress_total,
        error=job.error,
        run_at=shown_moment(job.run_at),
        created_at=shown_moment(job.created_at),
        updated_at=shown_moment(job.updated_at),
    )
