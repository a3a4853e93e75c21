"""`airtally report`: plays of an interval as one file, as 4YouSee's clients get them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from airtally.cli.common import Json, OwnAccountSlug, command
from airtally.cli.output import print_listing, print_made
from airtally.cli.server import ApiServer, given, server
from airtally.cli.waiting import until_ended

app = App(name="report", help="Make reports of plays, list and fetch them.")

ReportId = Annotated[int, Parameter(help="As `report list` shows it.")]
_COLUMNS = ("id", "state", "progress", "rows", "bytes", "data_through", "created_at", "file_expires_at", "error")
_FILES = ("file", "bytes")


@app.command
@command
def create(
    *,
    account: OwnAccountSlug = None,
    start_date: Annotated[str, Parameter(help="First day by the players' wall clock, such as 2026-10-01.")],
    end_date: Annotated[str, Parameter(help="Last day.")],
    start_time: Annotated[str | None, Parameter(help="First second of the first day; if not given, 00:00:00.")] = None,
    end_time: Annotated[str | None, Parameter(help="Last second of the last day; if not given, 23:59:59.")] = None,
    media: Annotated[
        tuple[int, ...], Parameter(help="Only plays of this media; can be given again.", negative=())
    ] = (),
    player: Annotated[
        tuple[int, ...], Parameter(help="Only plays by this player; can be given again.", negative=())
    ] = (),
    order: Annotated[Literal["newest", "oldest"] | None, Parameter(help="Which plays come first.")] = None,
    webhook: Annotated[str | None, Parameter(help="URL that is told when the report has ended.")] = None,
    wait: Annotated[float, Parameter(help="Seconds to wait until it is built.")] = 0.0,
    as_json: Json = False,
) -> None:
    """Have a report built: by a running server, or by this command while it waits."""
    asked = {
        "start_date": start_date,
        "end_date": end_date,
        "start_time": start_time,
        "end_time": end_time,
        "media_ids": media,
        "player_ids": player,
        "order": order,
        "webhook": webhook,
    }
    with server(account) as api:
        made = api.post("/reports", given(asked))
        if wait > 0:
            made = _until_built(api, made["id"], wait)
    print_made(made, as_json=as_json)


@app.command(name="list")
@command
def list_(
    *,
    account: OwnAccountSlug = None,
    limit: Annotated[int, Parameter(help="How many to show.")] = 100,
    as_json: Json = False,
) -> None:
    """Show the reports, newest first."""
    with server(account) as api:
        found = list(api.items("/reports", most=limit))
    print_listing(found, _COLUMNS, as_json=as_json)


@app.command
@command
def get(report: ReportId, *, account: OwnAccountSlug = None, as_json: Json = False) -> None:
    """Show a report, with the link to its file."""
    with server(account) as api:
        found = api.get(f"/reports/{report}")
    print_made(found, as_json=as_json)


@app.command
@command
def download(
    report: ReportId,
    *,
    to: Annotated[Path, Parameter(help="Folder for the file, which is called `report-ID.ndjson.gz`.")],
    account: OwnAccountSlug = None,
    wait: Annotated[float, Parameter(help="Seconds to wait until it is built.")] = 3600.0,
    as_json: Json = False,
) -> None:
    """Fetch the file once it is built, checked by its size and SHA-256; one that is there stays."""
    target = to / f"report-{report}.ndjson.gz"
    with server(account) as api:
        built = _until_built(api, report, wait)
        to.mkdir(parents=True, exist_ok=True)
        api.fetch(f"/api/v1/reports/{report}/file", target, size=built["bytes"], sha256=built["sha256"])
    print_listing([{"file": str(target), "bytes": built["bytes"]}], _FILES, as_json=as_json)


@app.command
@command
def delete(report: ReportId, *, account: OwnAccountSlug = None) -> None:
    """Stop a report that is being built, or delete it with its file."""
    with server(account) as api:
        api.delete(f"/reports/{report}")


def _until_built(api: ApiServer, report: int, wait: float) -> dict[str, Any]:
    """Raises Unavailable where it fails, or takes longer than `wait` seconds."""
    return until_ended(
        lambda: api.get(f"/reports/{report}"),
        f"Report {report}",
        wait=wait,
        under_way={"waiting"},
        succeeded="success",
        working=api.reporting(),
    )
