"""`airtally schedule`: exports and reports at the times of a cron expression."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from airtally.cli.common import Json, OwnAccountSlug, command
from airtally.cli.json_arguments import JSON_HELP, read_json
from airtally.cli.output import print_listing, print_made
from airtally.cli.server import given, server

app = App(name="schedule", help="Make exports and reports at set times.")

ScheduleId = Annotated[int, Parameter(help="As `schedule list` shows it.")]
Name = Annotated[str, Parameter(help="Its name for people.")]
Cron = Annotated[str, Parameter(help="Five fields, such as `0 6 * * MON-FRI`.", allow_leading_hyphen=True)]
_COLUMNS = ("id", "name", "state", "cron", "timezone", "next_at", "failures", "pause_reason")
_RUNS = ("id", "slot", "state", "reason", "due_at", "ended_at", "export_id", "report_id")


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class ScheduleFields:
    """What a schedule makes, when, and who gets it."""

    timezone: Annotated[str | None, Parameter(help="IANA name of the zone of --cron; if not given, the account's.")] = (
        None
    )
    export: Annotated[
        str | None, Parameter(allow_leading_hyphen=True, help=f"The export that is made: {JSON_HELP}.")
    ] = None
    report: Annotated[str | None, Parameter(allow_leading_hyphen=True, help=f"Or the report: {JSON_HELP}.")] = None
    deliver: Annotated[str | None, Parameter(allow_leading_hyphen=True, help=f"Who gets it: {JSON_HELP}.")] = None
    jitter_seconds: Annotated[int | None, Parameter(help="Seconds by which a run may begin later.")] = None
    catch_up: Annotated[
        Literal["latest", "all"] | None, Parameter(help="Which of the slots that were missed are run.")
    ] = None
    late_minutes: Annotated[int | None, Parameter(help="Minutes after which a slot is late.")] = None
    most_failures: Annotated[int | None, Parameter(help="Failed runs in a row after which it is paused.")] = None

    def asked(self, name: str | None, cron: str | None) -> dict[str, Any]:
        """The body of a call. Raises BadRequest for what is no JSON."""
        read = {each: read_json(getattr(self, each), f"--{each}") for each in ("export", "report", "deliver")}
        return asdict(self) | read | {"name": name, "cron": cron}


_NO_FIELDS = ScheduleFields()


@app.command
@command
def create(
    *,
    account: OwnAccountSlug = None,
    name: Name,
    cron: Cron,
    fields: ScheduleFields = _NO_FIELDS,
    as_json: Json = False,
) -> None:
    """Create a schedule. docs/reference/schedules-api.md describes the fields."""
    with server(account) as api:
        made = api.post("/schedules", given(fields.asked(name, cron)))
    print_made(made, as_json=as_json)


@app.command(name="list")
@command
def list_(*, account: OwnAccountSlug = None, as_json: Json = False) -> None:
    """Show the schedules."""
    with server(account) as api:
        found = list(api.items("/schedules"))
    print_listing(found, _COLUMNS, as_json=as_json)


@app.command
@command
def get(schedule: ScheduleId, *, account: OwnAccountSlug = None, as_json: Json = False) -> None:
    """Show a schedule with its next slots."""
    with server(account) as api:
        found = api.get(f"/schedules/{schedule}")
    print_made(found, as_json=as_json)


@app.command
@command
def change(
    schedule: ScheduleId,
    *,
    account: OwnAccountSlug = None,
    name: Name | None = None,
    cron: Cron | None = None,
    fields: ScheduleFields = _NO_FIELDS,
    as_json: Json = False,
) -> None:
    """Change what is given of a schedule."""
    with server(account) as api:
        changed = api.patch(f"/schedules/{schedule}", fields.asked(name, cron))
    print_made(changed, as_json=as_json)


@app.command
@command
def pause(schedule: ScheduleId, *, account: OwnAccountSlug = None, as_json: Json = False) -> None:
    """Pause a schedule: its slots are skipped until it is resumed."""
    with server(account) as api:
        changed = api.post(f"/schedules/{schedule}/pause")
    print_made(changed, as_json=as_json)


@app.command
@command
def resume(schedule: ScheduleId, *, account: OwnAccountSlug = None, as_json: Json = False) -> None:
    """Resume a paused schedule with its next slot."""
    with server(account) as api:
        changed = api.post(f"/schedules/{schedule}/resume")
    print_made(changed, as_json=as_json)


@app.command
@command
def run(
    schedule: ScheduleId,
    *,
    account: OwnAccountSlug = None,
    as_of: Annotated[str | None, Parameter(help="Moment (RFC 3339) that `yesterday` and the like refer to.")] = None,
    as_json: Json = False,
) -> None:
    """Run a schedule now; a running server does it."""
    with server(account) as api:
        made = api.post(f"/schedules/{schedule}/runs", given({"as_of": as_of}))
    print_made(made, as_json=as_json)


@app.command
@command
def runs(
    schedule: ScheduleId,
    *,
    account: OwnAccountSlug = None,
    limit: Annotated[int, Parameter(help="How many to show.")] = 100,
    as_json: Json = False,
) -> None:
    """Show the runs of a schedule, newest first."""
    with server(account) as api:
        found = list(api.items(f"/schedules/{schedule}/runs", most=limit))
    print_listing(found, _RUNS, as_json=as_json)


@app.command
@command
def delete(schedule: ScheduleId, *, account: OwnAccountSlug = None) -> None:
    """Delete a schedule with its runs."""
    with server(account) as api:
        api.delete(f"/schedules/{schedule}")
