"""`airtally quarantine`: rows that were refused."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Annotated

from cyclopts import App, Parameter

from airtally.cli.common import AccountSlug, DatabaseServices, Json, command, opened_database
from airtally.cli.output import moment, print_json, print_listing
from airtally.cli.services import opened_services
from airtally.ingest.quarantine import Entry, Quarantine
from airtally.ingest.rejected import RejectedRow

Columns = Annotated[str, Parameter(help="Comma-separated columns of CSV rows that a release before 0.2 refused.")]

app = App(name="quarantine", help="List, resend and drop refused rows.")

_COLUMNS = ("id", "stream", "source", "rows", "received", "resent", "first_error")


@app.command(name="list")
@command
def list_(*, account: AccountSlug, stream: str | None = None, as_json: Json = False) -> None:
    """Show the batches that had refused rows, newest first."""
    with opened_database() as database:
        quarantine = _quarantine_of(database)
        entries = quarantine.entries(database.accounts.by_slug(account), stream)
        usage = next((each for each in quarantine.usage() if each.account == account), None)
        most, days = database.settings.quarantine_max, database.settings.quarantine_days
    print_listing([_entry_row(entry) for entry in entries], _COLUMNS, as_json=as_json)
    if usage is not None:
        print(
            f"airtally: {usage.rows} refused rows of {account} take {usage.bytes / 2**20:.1f} of {most / 2**20:.1f} MiB; "
            f"entries older than {days} days are dropped",
            file=sys.stderr,
        )


@app.command
@command
def show(entry: int, *, account: AccountSlug, raw: bool = False, as_json: Json = False) -> None:
    """Show an entry's rows with their errors; `--raw` prints them as they were received."""
    with opened_database() as database:
        rows = list(_quarantine_of(database).rows(database.accounts.by_slug(account), entry))
    if raw:
        sys.stdout.buffer.write(b"".join(row.received.rstrip(b"\r\n") + b"\n" for row in rows))
    else:
        print_listing([_row(row) for row in rows], ("line", "field", "error", "raw"), as_json=as_json)


@app.command
@command
def resend(entry: int, *, account: AccountSlug, columns: Columns = "", as_json: Json = False) -> None:
    """Validate an entry's rows again and store those that are valid now; the others stay, with their new errors."""
    names = tuple(name.strip() for name in columns.split(",")) if columns else ()
    with opened_services() as services:
        answer = services.intake.resend.run(services.access.accounts.by_slug(account), entry, columns=names)
    print_json({"accepted": answer.accepted, "rejected": answer.rejected}) if as_json else print(
        f"{answer.accepted} rows accepted, {answer.rejected} rejected again"
    )


@app.command
@command
def drop(entry: int, *, account: AccountSlug) -> None:
    """Delete an entry and its rows."""
    with opened_database() as database:
        _quarantine_of(database).drop(database.accounts.by_slug(account), entry)


def _quarantine_of(database: DatabaseServices) -> Quarantine:
    settings = database.settings
    return Quarantine(database.store, database.clock, max_bytes=settings.quarantine_max, days=settings.quarantine_days)


def _entry_row(entry: Entry) -> dict[str, object]:
    times = {"received": moment(entry.received_at), "resent": moment(entry.resent_at)}
    return {name: value for name, value in asdict(entry).items() if not name.endswith("_at")} | times


def _row(row: RejectedRow) -> dict[str, object]:
    return {"line": row.line, "field": row.field, "error": row.error, "raw": row.raw or row.raw_base64, "row": row.row}
