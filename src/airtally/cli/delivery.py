"""`airtally delivery`: webhook deliveries."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import App, Parameter

from airtally.cli.common import AnyAccountSlug, DatabaseServices, Json, command, opened_database
from airtally.cli.output import moment, print_listing, print_made
from airtally.reports.outbox import Deliveries, Delivery

app = App(name="delivery", help="List and repeat webhook deliveries.")

_COLUMNS = ("id", "account", "report", "try", "state", "due", "sent", "status", "error", "url")


@app.command(name="list")
@command
def list_(
    *,
    account: AnyAccountSlug = None,
    report: Annotated[int | None, Parameter(help="Only those of this report.")] = None,
    limit: Annotated[int, Parameter(help="How many to show.")] = 100,
    as_json: Json = False,
) -> None:
    """Show the tries, newest first; `try` 0 was made by `delivery redeliver`."""
    with opened_database() as database:
        slugs = {each.id: each.slug for each in database.accounts.all()}
        found = _deliveries(database).latest(_account_id(database, account), report_id=report, limit=limit)
    print_listing([_delivery_row(each, slugs) for each in found], _COLUMNS, as_json=as_json)


@app.command
@command
def redeliver(
    delivery_id: Annotated[int, Parameter(help="As `delivery list` shows it.")],
    *,
    account: AnyAccountSlug = None,
    as_json: Json = False,
) -> None:
    """Send the same notice once more; a running server does it within a second."""
    with opened_database() as database:
        slugs = {each.id: each.slug for each in database.accounts.all()}
        made = _deliveries(database).redeliver(delivery_id, _account_id(database, account))
    print_made(_delivery_row(made, slugs), as_json=as_json)


def _deliveries(database: DatabaseServices) -> Deliveries:
    return Deliveries(database.store, database.clock, database.settings.fouryousee_retry_seconds, "command")


def _account_id(database: DatabaseServices, slug: str | None) -> int | None:
    account = database.account(slug)
    return None if account is None else account.id


def _delivery_row(delivery: Delivery, slugs: dict[int, str]) -> dict[str, Any]:
    return {
        "id": delivery.id,
        "account": slugs[delivery.account_id],
        "report": delivery.report_id,
        "try": delivery.attempt,
        "state": delivery.state,
        "due": moment(delivery.due_at),
        "sent": moment(delivery.sent_at),
        "status": delivery.status_code,
        "error": delivery.error,
        "url": delivery.url,
    }
