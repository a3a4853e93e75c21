"""`airtally alarm`: conditions that somebody is told of, once when they come true and once when they are over."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import App, Parameter

from airtally.cli.common import Json, OwnAccountSlug, command
from airtally.cli.json_arguments import JSON_HELP, read_json
from airtally.cli.output import print_listing, print_made
from airtally.cli.server import given, server

app = App(name="alarm", help="Be told when a stream is silent, work is late or refused rows grow.")

AlarmId = Annotated[int, Parameter(help="As `alarm list` shows it.")]
Name = Annotated[str, Parameter(help="Its name for people.")]
Condition = Annotated[str, Parameter(allow_leading_hyphen=True, help=f"When it fires: {JSON_HELP}.")]
Recipients = Annotated[
    str | None, Parameter(allow_leading_hyphen=True, help=f"Who is told; if not given, webhooks: {JSON_HELP}.")
]
_COLUMNS = ("id", "name", "state", "since", "says", "checked_at")


@app.command
@command
def create(
    *,
    account: OwnAccountSlug = None,
    name: Name,
    condition: Condition,
    recipients: Recipients = None,
    as_json: Json = False,
) -> None:
    """Create an alarm. docs/reference/webhooks-api.md describes conditions and recipients."""
    with server(account) as api:
        made = api.post("/alarms", given(_alarm_fields(name, condition, recipients)))
    print_made(made, as_json=as_json)


@app.command(name="list")
@command
def list_(*, account: OwnAccountSlug = None, as_json: Json = False) -> None:
    """Show the alarms and what their last check found."""
    with server(account) as api:
        found = list(api.items("/alarms"))
    print_listing(found, _COLUMNS, as_json=as_json)


@app.command
@command
def get(alarm: AlarmId, *, account: OwnAccountSlug = None, as_json: Json = False) -> None:
    """Show an alarm."""
    with server(account) as api:
        found = api.get(f"/alarms/{alarm}")
    print_made(found, as_json=as_json)


@app.command
@command
def change(
    alarm: AlarmId,
    *,
    account: OwnAccountSlug = None,
    name: Name | None = None,
    condition: Condition | None = None,
    recipients: Recipients = None,
    as_json: Json = False,
) -> None:
    """Change what is given of an alarm; with another condition its state begins anew."""
    with server(account) as api:
        changed = api.patch(f"/alarms/{alarm}", _alarm_fields(name, condition, recipients))
    print_made(changed, as_json=as_json)


@app.command
@command
def delete(alarm: AlarmId, *, account: OwnAccountSlug = None) -> None:
    """Delete an alarm."""
    with server(account) as api:
        api.delete(f"/alarms/{alarm}")


def _alarm_fields(name: str | None, condition: str | None, recipients: str | None) -> dict[str, Any]:
    """The body of a call. Raises BadRequest for what is no JSON."""
    return {
        "name": name,
        "condition": read_json(condition, "--condition"),
        "recipients": read_json(recipients, "--recipients"),
    }
