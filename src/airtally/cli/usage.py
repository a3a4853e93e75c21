"""`airtally usage`: what accounts sent, were answered and asked for."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from airtally.cli.common import AnyAccountSlug, Json, command
from airtally.cli.output import print_json, print_listing
from airtally.cli.server import server

_SUMS = ("rows_accepted", "rows_refused", "bytes_in", "requests", "rows_out", "bytes_out")


@command
def usage(
    *,
    account: AnyAccountSlug = None,
    start: Annotated[str | None, Parameter(help="First day, UTC; if not given, 30 days before the end.")] = None,
    end: Annotated[str | None, Parameter(help="Day after the last, UTC; if not given, tomorrow.")] = None,
    grain: Annotated[Literal["day", "month"], Parameter(help="A line for each day or month of one account.")] = "day",
    as_json: Json = False,
) -> None:
    """Show rows, bytes and requests: of one account by day, or the sums of each account."""
    with server(account) as api:
        if account is None:
            sums = list(api.items("/usage/accounts", start=start, end=end))
            print_listing(sums, ("slug", *_SUMS), as_json=as_json)
            return
        found = api.get("/usage", start=start, end=end, grain=grain)
    if as_json:
        print_json(found)
    else:
        print_listing(found["usage"], ("start", "kind", *_SUMS), as_json=False)
