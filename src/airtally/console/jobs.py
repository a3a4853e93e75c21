"""Jobs of an account: what is under way, what failed and why; cancelled and begun anew."""

from __future__ import annotations

from typing import Any

from airtally.console.declared import console_form, console_page
from airtally.console.operations import ConsoleOperations
from airtally.console.tables import CellKind, TableColumn, table_of
from airtally.console.views import Moved, View, view
from airtally.console.visits import Visit
from airtally.jobs.states import JobState


class JobPages:
    def __init__(self, operations: ConsoleOperations) -> None:
        self._operations = operations

    @console_page("/jobs")
    def jobs(self, visit: Visit) -> View:
        state = visit.query.get("state") or None

        def read(cursor: str | None, limit: int) -> Any:
            return self._operations.call(visit, "list_jobs", query={"cursor": cursor, "limit": limit, "state": state})

        columns = (
            TableColumn("Job", lambda each: each.id),
            TableColumn("Kind", lambda each: each.kind),
            TableColumn("State", lambda each: each.state, CellKind.STATE),
            TableColumn("Tries", lambda each: each.attempts, CellKind.NUMBER),
            TableColumn("Made", lambda each: each.created_at, CellKind.TIME),
            TableColumn("Error", lambda each: each.error),
        )
        empty = "There is no such job." if state else "Nothing was to be done yet."
        return view("jobs.html", jobs=table_of(visit, "jobs", columns, read, empty), state=state, states=list(JobState))

    @console_form("/jobs/{job_id}/cancel", again="jobs")
    def cancel_job_form(self, visit: Visit) -> Moved:
        return self._changed(visit, "cancel_job", "is cancelled")

    @console_form("/jobs/{job_id}/retry", again="jobs")
    def retry_job_form(self, visit: Visit) -> Moved:
        return self._changed(visit, "retry_job", "begins anew")

    def _changed(self, visit: Visit, operation: str, words: str) -> Moved:
        job_id = visit.name("job_id")
        self._operations.call(visit, operation, path={"job_id": job_id})
        return Moved(visit.path("/jobs"), f"Job {job_id} {words}.")
