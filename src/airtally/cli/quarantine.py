"""`airtally quarantine`: rows that were refused."""

from __future__ import annotations

import sys
from dataclasses import asdict

from cyclopts import App

from airtally.cli.common import AccountSlug, Json, command, opened_books
from airtally.cli.output import moment, print_json, print_listing
from airtally.cli.services import opened_services
from airtally.ingest.quarantine import Entry, Quarantine, RejectedRow

app = App(name="quarantine", help="Rows that were refused.")

_COLUMNS = ("id", "stream", "source", "rows", "received", "resent", "first_error")


@app.command(name="list")
@command
def list_(*, account: AccountSlug, stream: str | None = None, as_json: Json = False) -> None:
    """Show the batches that had refused rows, newest first."""
    with opened_books() as books:
        quarantine = Quarantine(books.store, books.clock)
        entries = quarantine.entries(books.accounts.by_slug(account), stream)
    print_listing([_shown(entry) for entry in entries], _COLUMNS, as_json=as_json)


@app.command
@command
def show(entry: int, *, account: AccountSlug, raw: bool = False, as_json: Json = False) -> None:
    """Show an entry's rows with their errors; `--raw` prints them as they were received."""
    with opened_books() as books:
        rows = list(Quarantine(books.store, books.clock).rows(books.accounts.by_slug(account), entry))
    if raw:
        sys.stdout.buffer.write(b"".join(row.received.rstrip(b"\r\n") + b"\n" for row in rows))
    else:
        print_listing([_row(row) for row in rows], ("line", "field", "error", "raw"), as_json=as_json)


@app.command
@command
def resend(entry: int, *, account: AccountSlug, as_json: Json = False) -> None:
    """Check an entry's rows anew and take those that are right now; the others become a new entry."""
    with opened_services() as services:
        answer = services.intake.resend.run(services.accounts.by_slug(account), entry)
    print_json({"accepted": answer.accepted, "rejected": answer.rejected}) if as_json else print(
        f"{answer.accepted} rows accepted, {answer.rejected} rejected again"
    )


@app.command
@command
def drop(entry: int, *, account: AccountSlug) -> None:
    """Forget an entry and its rows."""
    with opened_books() as books:
        Quarantine(books.store, books.clock).drop(books.accounts.by_slug(account), entry)


def _shown(entry: Entry) -> dict[str, object]:
    times = {"received": moment(entry.received_at), "resent": moment(entry.resent_at)}
    return {name: value for name, value in asdict(entry).items() if not name.endswith("_at")} | times


def _row(row: RejectedRow) -> dict[str, object]:
    return {"line": row.line, "field": row.field, "error": row.error, "raw": row.raw or row.raw_base64}
