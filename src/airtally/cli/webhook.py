"""`airtally webhook`: where an account is told of what happens, and what was sent there."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from airtally.cli.common import Json, OwnAccountSlug, command
from airtally.cli.output import print_listing, print_made
from airtally.cli.server import given, server

app = App(name="webhook", help="Create, list and test webhooks, and deliver messages again.")

WebhookId = Annotated[int, Parameter(help="As `webhook list` shows it.")]
Events = Annotated[
    tuple[str, ...],
    Parameter(name="--event", help="A type of event; can be repeated. If not given, all.", negative=()),
]
_COLUMNS = ("id", "url", "description", "event_types", "enabled", "disabled_reason", "failures")
_DELIVERIES = (
    "id",
    "event_type",
    "channel",
    "webhook",
    "state",
    "attempts",
    "due_at",
    "sent_at",
    "status_code",
    "error",
)


@app.command
@command
def create(
    *,
    account: OwnAccountSlug = None,
    url: Annotated[str, Parameter(help="Where messages are posted to.")],
    description: Annotated[str, Parameter(help="What it is, for people.")] = "",
    event: Events = (),
    as_json: Json = False,
) -> None:
    """Create a webhook and print its secret: the only time it is shown."""
    asked = {"url": url, "description": description, "event_types": list(event) or None}
    with server(account) as api:
        made = api.post("/webhooks", asked)
    print_made({**made["webhook"], "secret": made["secret"]}, as_json=as_json)


@app.command(name="list")
@command
def list_(*, account: OwnAccountSlug = None, as_json: Json = False) -> None:
    """Show the webhooks."""
    with server(account) as api:
        found = list(api.items("/webhooks"))
    print_listing(found, _COLUMNS, as_json=as_json)


@app.command
@command
def get(webhook: WebhookId, *, account: OwnAccountSlug = None, as_json: Json = False) -> None:
    """Show a webhook, without its secret."""
    with server(account) as api:
        found = api.get(f"/webhooks/{webhook}")
    print_made(found, as_json=as_json)


@app.command
@command
def change(
    webhook: WebhookId,
    *,
    account: OwnAccountSlug = None,
    url: Annotated[str | None, Parameter(help="Where messages are posted to.")] = None,
    description: Annotated[str | None, Parameter(help="What it is, for people.")] = None,
    event: Events = (),
    every_event: Annotated[bool | None, Parameter(help="Messages of all types from now on.", negative=())] = None,
    enabled: Annotated[bool | None, Parameter("--enable", negative="--disable", help="Send to it, or hold.")] = None,
    as_json: Json = False,
) -> None:
    """Change what is given of a webhook."""
    asked = {
        "url": url,
        "description": description,
        "event_types": list(event) or None,
        "every_type": every_event,
        "enabled": enabled,
    }
    with server(account) as api:
        changed = api.patch(f"/webhooks/{webhook}", asked)
    print_made(changed, as_json=as_json)


@app.command
@command
def rotate(webhook: WebhookId, *, account: OwnAccountSlug = None, as_json: Json = False) -> None:
    """Give a webhook a new secret and print it; for a day messages are signed with the former one too."""
    with server(account) as api:
        made = api.post(f"/webhooks/{webhook}/rotate")
    print_made({**made["webhook"], "secret": made["secret"]}, as_json=as_json)


@app.command
@command
def ping(webhook: WebhookId, *, account: OwnAccountSlug = None, as_json: Json = False) -> None:
    """Send a test message; a running server does it within a second."""
    with server(account) as api:
        made = api.post(f"/webhooks/{webhook}/ping")
    print_made(made, as_json=as_json)


@app.command
@command
def delete(webhook: WebhookId, *, account: OwnAccountSlug = None) -> None:
    """Delete a webhook with its deliveries, also those that wait."""
    with server(account) as api:
        api.delete(f"/webhooks/{webhook}")


@app.command
@command
def deliveries(
    *,
    account: OwnAccountSlug = None,
    webhook: Annotated[int | None, Parameter(help="Only those to this webhook.")] = None,
    state: Annotated[str | None, Parameter(help="Only those in this state.")] = None,
    limit: Annotated[int, Parameter(help="How many to show.")] = 100,
    as_json: Json = False,
) -> None:
    """Show the deliveries of messages to webhooks and by e-mail, newest first."""
    with server(account) as api:
        found = list(api.items("/deliveries", most=limit, **given({"webhook": webhook, "state": state})))
    print_listing(found, _DELIVERIES, as_json=as_json)


@app.command
@command
def redeliver(
    delivery: Annotated[int, Parameter(help="As `webhook deliveries` shows it.")],
    *,
    account: OwnAccountSlug = None,
    as_json: Json = False,
) -> None:
    """Deliver a message again; a running server does it within a second."""
    with server(account) as api:
        made = api.post(f"/deliveries/{delivery}/redeliver")
    print_made(made, as_json=as_json)
