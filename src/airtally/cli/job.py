"""`airtally job`: work in the background."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from airtally.cli.common import Json, OwnAccountSlug, command
from airtally.cli.output import print_listing, print_made
from airtally.cli.server import server
from airtally.jobs.states import JobState

app = App(name="job", help="List, cancel and repeat work in the background.")

JobId = Annotated[int, Parameter(help="As `job list` shows it.")]
_COLUMNS = ("id", "kind", "subject", "state", "attempts", "progress_done", "progress_total", "run_at", "error")


@app.command(name="list")
@command
def list_(
    *,
    account: OwnAccountSlug = None,
    state: Annotated[JobState | None, Parameter(help="Only those.")] = None,
    kind: Annotated[str | None, Parameter(help="Only those, such as `export`.")] = None,
    everywhere: Annotated[
        bool, Parameter(help="Those of all accounts, and those of none; for operators.", negative=())
    ] = False,
    limit: Annotated[int, Parameter(help="How many to show.")] = 100,
    as_json: Json = False,
) -> None:
    """Show the jobs, newest first. Their `subject` is the id of what they are about."""
    asked = {"state": state, "kind": kind, "everywhere": "true" if everywhere else None}
    with server(account) as api:
        found = list(api.items("/jobs", most=limit, **asked))
    print_listing(found, _COLUMNS, as_json=as_json)


@app.command
@command
def get(job: JobId, *, account: OwnAccountSlug = None, as_json: Json = False) -> None:
    """Show a job."""
    with server(account) as api:
        found = api.get(f"/jobs/{job}")
    print_made(found, as_json=as_json)


@app.command
@command
def cancel(job: JobId, *, account: OwnAccountSlug = None, as_json: Json = False) -> None:
    """End a job before its time, with what it is about."""
    with server(account) as api:
        changed = api.post(f"/jobs/{job}/cancel")
    print_made(changed, as_json=as_json)


@app.command
@command
def retry(job: JobId, *, account: OwnAccountSlug = None, as_json: Json = False) -> None:
    """Begin a failed or cancelled job anew; a running server does it."""
    with server(account) as api:
        changed = api.post(f"/jobs/{job}/retry")
    print_made(changed, as_json=as_json)
