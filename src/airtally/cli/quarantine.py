"""`airtally quarantine`: rows that were refused."""

from __future__ import annotations

import base64
import sys
from collections.abc import Mapping
from typing import Annotated, Any

from cyclopts import App, Parameter

from airtally.cli.common import AccountSlug, Json, command
from airtally.cli.output import print_json, print_listing, to_second
from airtally.cli.server import server

Columns = Annotated[str, Parameter(help="Comma-separated columns of CSV rows that a release before 0.2 refused.")]

app = App(name="quarantine", help="List, resend and drop refused rows.")

_COLUMNS = ("id", "stream", "source", "rows", "received", "resent", "first_error")


@app.command(name="list")
@command
def list_(*, account: AccountSlug, stream: str | None = None, as_json: Json = False) -> None:
    """Show the batches that had refused rows, newest first."""
    with server(account) as api:
        entries = [_entry_row(each) for each in api.items("/quarantine", stream=stream)]
        usage = api.get("/quarantine-usage")
    print_listing(entries, _COLUMNS, as_json=as_json)
    if usage["rows"]:
        print(
            f"airtally: {usage['rows']} refused rows of {account} take {usage['bytes'] / 2**20:.1f} of "
            f"{usage['max_bytes'] / 2**20:.1f} MiB; entries older than {usage['days']} days are dropped",
            file=sys.stderr,
        )


@app.command
@command
def show(entry: int, *, account: AccountSlug, raw: bool = False, as_json: Json = False) -> None:
    """Show an entry's rows with their errors; `--raw` prints them as they were received."""
    with server(account) as api:
        rows = api.items(f"/quarantine/{entry}/rows")
        if raw:
            for row in rows:
                sys.stdout.buffer.write(_received(row).rstrip(b"\r\n") + b"\n")
        else:
            print_listing([_shown_row(row) for row in rows], ("line", "field", "error", "raw"), as_json=as_json)


@app.command
@command
def resend(entry: int, *, account: AccountSlug, columns: Columns = "", as_json: Json = False) -> None:
    """Validate an entry's rows again and store those that are valid now; the others stay, with their new errors."""
    names = [name.strip() for name in columns.split(",")] if columns else []
    with server(account) as api:
        answer = api.post(f"/quarantine/{entry}/resend", {"columns": names})
    print_json(answer) if as_json else print(f"{answer['accepted']} rows accepted, {answer['rejected']} rejected again")


@app.command
@command
def drop(entry: int, *, account: AccountSlug) -> None:
    """Delete an entry and its rows."""
    with server(account) as api:
        api.delete(f"/quarantine/{entry}")


def _entry_row(entry: Mapping[str, Any]) -> dict[str, Any]:
    times = {"received": to_second(entry["received_at"]), "resent": to_second(entry["resent_at"])}
    return {name: value for name, value in entry.items() if not name.endswith("_at")} | times


def _received(row: Mapping[str, Any]) -> bytes:
    raw: str | None = row["raw"]
    return base64.b64decode(row["raw_base64"] or "") if raw is None else raw.encode()


def _shown_row(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "line": row["line"],
        "field": row["field"],
        "error": row["error"],
        "raw": row["raw"] or row["raw_base64"],
        "row": row["row"],
    }
