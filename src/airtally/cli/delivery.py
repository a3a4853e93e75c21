"""`airtally delivery`: webhook deliveries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from cyclopts import App, Parameter

from airtally.cli.common import AnyAccountSlug, Json, command
from airtally.cli.output import print_listing, print_made, to_second
from airtally.cli.server import server

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
    with server() as api:
        found = [
            _delivery_row(each, slug)
            for slug, owner in api.of_accounts(account)
            for each in owner.items("/report-deliveries", most=limit, report=report)
        ]
    newest = sorted(found, key=lambda each: -each["id"])[:limit]
    print_listing(newest, _COLUMNS, as_json=as_json)


@app.command
@command
def redeliver(
    delivery_id: Annotated[int, Parameter(help="As `delivery list` shows it.")],
    *,
    account: AnyAccountSlug = None,
    as_json: Json = False,
) -> None:
    """Send the same notice once more; a running server does it within a second."""
    path = f"/report-deliveries/{delivery_id}/redeliver"
    with server() as api:
        slug, made = api.where_found(account, lambda owner: owner.post(path))
    print_made(_delivery_row(made, slug), as_json=as_json)


def _delivery_row(delivery: Mapping[str, Any], slug: str) -> dict[str, Any]:
    return {
        "id": delivery["id"],
        "account": slug,
        "report": delivery["report_id"],
        "try": delivery["attempt"],
        "state": delivery["state"],
        "due": to_second(delivery["due_at"]),
        "sent": to_second(delivery["sent_at"]),
        "status": delivery["status_code"],
        "error": delivery["error"],
        "url": delivery["url"],
    }
