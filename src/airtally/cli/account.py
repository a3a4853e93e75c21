"""`airtally account`: the tenants of the server."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from airtally.accounts.accounts import Account
from airtally.cli.account_files import FILE_COLUMNS, check_empty, fetch_files, file_row, until_exported
from airtally.cli.common import Json, command, opened_database
from airtally.cli.erasures import Wait, print_erasure, until_erased
from airtally.cli.output import moment, print_listing, print_made
from airtally.cli.remote import remote
from airtally.cli.services import opened_services
from airtally.kit import logs
from airtally.kit.errors import BadRequest, NotFound
from airtally.services import Role

app = App(name="account", help="Create, list, close and delete accounts.")

_COLUMNS = ("slug", "name", "timezone", "currency", "closed_at")

Slug = Annotated[str, Parameter(help="The account's slug.")]


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
                made = _account_row(database.accounts.create(name, slug, timezone=timezone, currency=currency))
    print_made(made, as_json=as_json)


@app.command(name="list")
@command
def list_(*, as_json: Json = False) -> None:
    """Show all accounts, closed ones too."""
    with remote() as server:
        if server is not None:
            found = list(server.items("/accounts"))
        else:
            with opened_database() as database:
                found = [_account_row(each) for each in database.accounts.all()]
    print_listing(found, _COLUMNS, as_json=as_json)


@app.command
@command
def close(
    account: Slug,
    *,
    days: Annotated[
        int | None, Parameter(help="Days until its data is deleted; if not given, as AIRTALLY_CLOSED_DAYS says.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Close an account: its keys, users and links are refused at once; its data is kept for some days."""
    with opened_services() as services:
        closed = services.privacy.closing.close(account, days=days)
    print_made(_account_row(closed.account) | {"delete_at": moment(closed.delete_at)}, as_json=as_json)


@app.command
@command
def reopen(account: Slug, *, as_json: Json = False) -> None:
    """Open a closed account again, as it was."""
    with opened_services() as services:
        opened = services.privacy.closing.reopen(account)
    print_made(_account_row(opened), as_json=as_json)


@app.command
@command
def delete(
    account: Slug,
    *,
    yes: Annotated[bool, Parameter("--yes", help="Delete it; nothing brings it back.", negative=())] = False,
    wait: Wait = 600.0,
    as_json: Json = False,
) -> None:
    """Delete an account with all its rows, files and metadata; prints what was deleted and what stays."""
    if not yes:
        raise BadRequest(f"Everything of {account} would be deleted, which nothing brings back", hint="Give --yes")
    logs.configure("warning")
    with opened_services(Role.ROWS) as services:
        privacy = services.privacy
        asked = privacy.closing.delete(account)
        found = until_erased(services, asked, lambda: privacy.closing.deletion(account) or asked, wait)
        print_erasure(services, found, as_json=as_json)


@app.command
@command
def deletion(account: Slug, *, as_json: Json = False) -> None:
    """Show how far an account's deletion is, and what was deleted."""
    with opened_services() as services:
        found = services.privacy.closing.deletion(account)
        if found is None:
            raise NotFound(f"The account {account!r} was not deleted")
        print_erasure(services, found, as_json=as_json)


@app.command
@command
def export(
    account: Slug,
    *,
    to: Annotated[Path, Parameter(help="A new or empty folder for the files.")],
    wait: Annotated[float, Parameter(help="Seconds to wait until it is ready.")] = 3600.0,
    as_json: Json = False,
) -> None:
    """Export everything of an account: all rows as Parquet, metadata and refused rows as lines of JSON."""
    logs.configure("warning")
    check_empty(to)
    with opened_services() as services:
        owner = services.access.accounts.whether_open_or_not(account)
        made = until_exported(services, owner, wait)
        fetch_files(services.files, made, to)
    print_listing([file_row(each, to) for each in made.files], FILE_COLUMNS, as_json=as_json)


def _account_row(account: Account) -> dict[str, object]:
    return asdict(account) | {"closed_at": moment(account.closed_at)}
