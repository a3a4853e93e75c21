"""`airtally account`: the tenants of the server."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from cyclopts import App, Parameter

from airtally.accounts.accounts import Account
from airtally.cli.common import Json, command, opened_database
from airtally.cli.output import print_listing, print_made

app = App(name="account", help="Create and list accounts.")

_COLUMNS = ("slug", "name", "timezone", "currency")


@app.command
@command
def create(
    *,
    name: Annotated[str, Parameter(help="Its name for people.")],
    slug: Annotated[str | None, Parameter(help="Its name in URLs; derived from --name if not given.")] = None,
    timezone: Annotated[str, Parameter(help="IANA name of the time zone in which its days are counted.")] = "UTC",
    currency: Annotated[str, Parameter(help="ISO 4217 code of its currency.")] = "USD",
    as_json: Json = False,
) -> None:
    """Create an account."""
    with opened_database() as database:
        made = database.accounts.create(name, slug, timezone=timezone, currency=currency)
    print_made(asdict(made), as_json=as_json)


@app.command(name="list")
@command
def list_(*, as_json: Json = False) -> None:
    """Show all accounts."""
    with opened_database() as database:
        found: list[Account] = database.accounts.all()
    print_listing([asdict(each) for each in found], _COLUMNS, as_json=as_json)
