"""`airtally stream`: what can be sent and asked, and how current it is."""

from __future__ import annotations

from cyclopts import App

from airtally.cli.common import Json, OwnAccountSlug, command
from airtally.cli.output import print_listing
from airtally.cli.server import server

app = App(name="stream", help="List streams, and how current an account's rows are.")

_COLUMNS = ("name", "kind", "kept_days", "rows", "last_received", "data_through")


@app.command(name="list")
@command
def list_(*, account: OwnAccountSlug = None, as_json: Json = False) -> None:
    """Show the streams: rows stored, when the last came, and up to when all received rows count in answers."""
    with server(account) as api:
        streams = api.get("/streams")["items"]
        fresh = {each["stream"]: each for each in api.get("/freshness")["items"]}
    found = [each | {name: fresh[each["name"]][name] for name in _COLUMNS[3:]} for each in streams]
    print_listing(found, _COLUMNS, as_json=as_json)
