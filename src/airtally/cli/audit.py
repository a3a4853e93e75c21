"""`airtally audit`: who changed what, and when."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter

from airtally.cli.common import AnyAccountSlug, Json, command
from airtally.cli.output import print_listing
from airtally.cli.server import ApiServer, CallFailed, server

_COLUMNS = ("at", "actor_kind", "actor", "address", "action", "target", "details")
_FORBIDDEN = 403


@command
def audit(
    *,
    account: AnyAccountSlug = None,
    limit: Annotated[int, Parameter(help="How many to show.")] = 100,
    as_json: Json = False,
) -> None:
    """Show the audit trail, newest first: without --account of all accounts that the caller sees."""
    with server(account) as api:
        entries = list(api.items("/audit", most=limit)) if account else _of_all(api, limit)
    print_listing(entries, _COLUMNS, as_json=as_json)


def _of_all(api: ApiServer, limit: int) -> list[dict[str, Any]]:
    """Those of every account for operators, of the own one for others."""
    try:
        return list(api.items("/audit", most=limit, everywhere=True))
    except CallFailed as failed:
        if failed.answered != _FORBIDDEN:
            raise
        return list(api.items("/audit", most=limit))
