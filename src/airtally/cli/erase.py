"""`airtally erase`: what is known of a person, found and erased."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from airtally.cli.common import AccountSlug, Json, command
from airtally.cli.erasures import Wait, erasure_row, print_erasure, print_findings, until_erased
from airtally.cli.output import print_listing
from airtally.cli.server import server

app = App(name="erase", help="Find and erase what is known of a person.")

Hwids = Annotated[list[str] | None, Parameter(name="--hwid", help="A device of the person.", negative=())]
UserIds = Annotated[list[str] | None, Parameter(name="--user-id", help="A user id.", negative=())]
Cids = Annotated[list[str] | None, Parameter(name="--cid", help="A customer id of dataset rows.", negative=())]
Emails = Annotated[list[str] | None, Parameter(name="--email", help="An address, in any case.", negative=())]
Preview = Annotated[bool, Parameter(help="Count what would be found, and change nothing.", negative=())]

_LISTED = ("id", "state", "requested_by", "created_at", "through", "erased_at", "done_at", "waiting_for", "error")


@app.default
@command
def erase(
    *,
    account: AccountSlug,
    hwid: Hwids = None,
    user_id: UserIds = None,
    cid: Cids = None,
    email: Emails = None,
    preview: Preview = False,
    wait: Wait = 600.0,
    as_json: Json = False,
) -> None:
    """Erase every row that names the person, and the devices whose record does; prints what was found and what stays."""
    person = {"hwid": hwid or [], "user_id": user_id or [], "cid": cid or [], "email": email or []}
    with server(account, takes_rows=not preview) as api:
        if preview:
            print_findings(api.post("/erasures/preview", person)["findings"], as_json=as_json)
            return
        asked = api.post("/erasures", person)
        done = until_erased(api, asked["id"], f"/erasures/{asked['id']}", wait)
    print_erasure(done, as_json=as_json)


@app.command(name="list")
@command
def list_(*, account: AccountSlug, as_json: Json = False) -> None:
    """Show the account's erasures, newest first."""
    with server(account) as api:
        found = [erasure_row(each) for each in api.items("/erasures")]
    print_listing([{name: each[name] for name in ("kind", *_LISTED)} for each in found], _LISTED, as_json=as_json)


@app.command
@command
def show(erasure: int, *, account: AccountSlug, as_json: Json = False) -> None:
    """Show what an erasure found, erased and left."""
    with server(account) as api:
        found = api.get(f"/erasures/{erasure}")
    print_erasure(found, as_json=as_json)
