"""Jobs: work in the background, how far it is, and why it failed."""

from __future__ import annotations

from typing import Any

from airtally.console.declared import console_form, console_page
from airtally.console.operations import ConsoleOperations
from airtally.console.tables import CellKind, TableColumn, table_of
from airtally.console.views import Moved, View, view
from airtally.console.visits import Visit
from airtally.jobs.states import UNENDED, JobState


def _progress(job: Any) -> str | None:
    if not job.progress_total:
        return None
    return f"{job.progress_done} of {job.progress_total}"


def _times_begun(job: Any) -> str:
    return "once" if job.attempts == 1 else f"{job.attempts} times" if job.attempts else "not yet"


_COLUMNS = (
    TableColumn("Job", lambda each: each.id, CellKind.NUMBER),
    TableColumn("Kind", lambda each: each.kind),
    TableColumn("About", lambda each: each.subject, CellKind.CODE),
    TableColumn("State", lambda each: each.state, CellKind.STATE),
    TableColumn("Progress", _progress),
    TableColumn("Begun", _times_begun),
    TableColumn("Why it failed", lambda each: each.error),
    TableColumn("Due", lambda each: each.run_at, CellKind.TIME),
    TableColumn("Changed", lambda each: each.updated_at, CellKind.TIME),
)
_ENDED_BADLY = (JobState.FAILED, JobState.CANCELLED)


class JobPages:
    def __init__(self, operations: ConsoleOperations) -> None:
        self._operations = operations

    @console_page("/jobs")
    def jobs(self, visit: Visit) -> View:
        asked = visit.query.get("state", "")
        state = asked if asked in set(JobState) else None

        def read(cursor: str | None, limit: int) -> Any:
            query = {"cursor": cursor, "limit": limit, "state": state}
            return self._operations.call(visit, "list_jobs", query=query)

        empty = (
            "No job is in this state." if state else "No job yet: reports, exports and publications are made by jobs."
        )
        listed = table_of(visit, "jobs", _COLUMNS, read, empty)
        return view("jobs.html", jobs=listed, states=list(JobState), state=state, unended=UNENDED, retried=_ENDED_BADLY)

    @console_form("/jobs/{job_id}/retry", again="jobs")
    def retry(self, visit: Visit) -> Moved:
        job = self._operations.call(visit, "retry_job", path={"job_id": visit.name("job_id")})
        return Moved(visit.path("/jobs"), f"Job {job.id} begins anew, with the rows received by now.")

    @console_form("/jobs/{job_id}/cancel", again="jobs")
    def cancel(self, visit: Visit) -> Moved:
        job = self._operations.call(visit, "cancel_job", path={"job_id": visit.name("job_id")})
        return Moved(visit.path("/jobs"), f"Job {job.id} is cancelled.")
