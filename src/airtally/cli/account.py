"""`airtally account`: the tenants of the server."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from cyclopts import App, Parameter

from airtally.cli.common import Json, command, opened_database
from airtally.cli.output import print_listing, print_made
from airtally.cli.remote import remote

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
    with remote() as server:
        if server is not None:
            asked = {"name": name, "slug": slug, "timezone": timezone, "currency": currency}
            made = server.post("/accounts", asked)
        else:
            with opened_database() as database:
                made = asdict(database.accounts.create(name, slug, timezone=timezone, currency=currency))
    print_made(made, as_json=as_json)


@app.command(name="list")
@command
def list_(*, as_json: Json = False) -> None:
    """Show all accounts."""
    with remote() as server:
        if server is not None:
            found = list(server.items("/accounts"))
        else:
            with opened_database() as database:
                found = [asdict(each) for each in database.accounts.all()]
    print_listing(found, _COLUMNS, as_json=as_json)
