"""`airtally account`: the tenants of the server."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from airtally.cli.account_files import FILE_COLUMNS, check_empty, fetch_files, until_exported
from airtally.cli.common import Json, command
from airtally.cli.erasures import Wait, print_erasure, until_erased
from airtally.cli.output import print_listing, print_made, to_second
from airtally.cli.server import quoted, server
from airtally.kit.errors import BadRequest

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
    with server() as api:
        made = api.post("/accounts", {"name": name, "slug": slug, "timezone": timezone, "currency": currency})
    print_made(_account_row(made), as_json=as_json)


@app.command(name="list")
@command
def list_(*, as_json: Json = False) -> None:
    """Show all accounts, closed ones too."""
    with server() as api:
        found = [_account_row(each) for each in api.items("/accounts")]
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
    with server() as api:
        closed = api.post(f"/accounts/{quoted(account)}/close", {"days": days})
    print_made(_account_row(closed["account"]) | {"delete_at": to_second(closed["delete_at"])}, as_json=as_json)


@app.command
@command
def reopen(account: Slug, *, as_json: Json = False) -> None:
    """Open a closed account again, as it was."""
    with server() as api:
        opened = api.post(f"/accounts/{quoted(account)}/reopen")
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
    path = f"/accounts/{quoted(account)}"
    with server(takes_rows=True) as api:
        asked = api.delete(path)
        done = until_erased(api, asked["id"], f"{path}/deletion", wait)
    print_erasure(done, as_json=as_json)


@app.command
@command
def deletion(account: Slug, *, as_json: Json = False) -> None:
    """Show how far an account's deletion is, and what was deleted."""
    with server() as api:
        found = api.get(f"/accounts/{quoted(account)}/deletion")
    print_erasure(found, as_json=as_json)


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
    check_empty(to)
    with server(account) as api:
        made = until_exported(api, wait)
        fetched = fetch_files(api, made, to)
    print_listing(fetched, FILE_COLUMNS, as_json=as_json)


def _account_row(account: Mapping[str, Any]) -> dict[str, Any]:
    return dict(account) | {"closed_at": to_second(account["closed_at"])}
