"""The command line: one file a command group, each loaded only when called.

A child process runs the program's script again, up to `main`: what is loaded here is loaded by each of them.
"""

from __future__ import annotations

import sys

#: Name, function and summary.
COMMANDS = (
    ("serve", "airtally.cli.serve:serve", "Serve every API, the pages and the jobs from one process."),
    ("worker", "airtally.cli.serve:worker", "Run jobs only."),
    ("demo", "airtally.cli.demo:demo", "Fill a fresh home with accounts, keys and some million events, then serve it."),
    ("account", "airtally.cli.account:app", "Create, list, close and delete accounts."),
    ("user", "airtally.cli.user:app", "Create and list users: people who may open an account's pages."),
    ("key", "airtally.cli.key:app", "Create, list and revoke API keys."),
    ("slate", "airtally.cli.slate:app", "Create and list Slate accounts, groups, businesses and authorization codes."),
    ("connect", "airtally.cli.connect:connect", "Show what a client needs, and a program that calls the server."),
    ("ingest", "airtally.cli.ingest:ingest", "Load rows from files."),
    ("stream", "airtally.cli.stream:app", "List streams, and how current an account's rows are."),
    ("record", "airtally.cli.record:app", "List, write and delete records of changelogs."),
    ("quarantine", "airtally.cli.quarantine:app", "List, resend and drop refused rows."),
    ("erase", "airtally.cli.erase:app", "Find and erase what is known of a person."),
    ("delivery", "airtally.cli.delivery:app", "List and repeat webhook deliveries."),
    ("query", "airtally.cli.query:query", "Answer a question about a stream."),
    ("sql", "airtally.cli.query:sql", "Run a SELECT over an account's streams."),
    ("export", "airtally.cli.export:app", "Make files of rows or answers, list and fetch them."),
    ("report", "airtally.cli.report:app", "Make reports of plays, list and fetch them."),
    ("schedule", "airtally.cli.schedule:app", "Make exports and reports at set times."),
    ("webhook", "airtally.cli.webhook:app", "Create, list and test webhooks, and deliver messages again."),
    ("alarm", "airtally.cli.alarm:app", "Be told when a stream is silent, work is late or refused rows grow."),
    ("job", "airtally.cli.job:app", "List, cancel and repeat work in the background."),
    ("audit", "airtally.cli.audit:audit", "Show who changed what, and when."),
    ("usage", "airtally.cli.usage:usage", "Show rows, bytes and requests of accounts."),
    ("call", "airtally.cli.call:call", "Call any operation of the native API."),
    ("dataset", "airtally.cli.dataset:app", "Publish dataset files of changelogs."),
    (
        "lake",
        "airtally.cli.lake:app",
        "Look after the lake's tables: status, compact, expire, rollups, missing, writers.",
    ),
    ("backup", "airtally.cli.backup:backup", "Copy the home, also while its server takes rows."),
    ("restore", "airtally.cli.backup:restore", "Make a new home of a backup."),
    ("doctor", "airtally.cli.doctor:doctor", "Check the set-up and say what to fix."),
)


def main() -> None:
    """Entry point of the program `airtally`. Settings may be given before the command: `airtally --home DIR key list`."""
    from airtally.cli.common import with_settings_flags  # noqa: PLC0415 (loaded only when called)
    from airtally.cli.program import app  # noqa: PLC0415

    app(with_settings_flags(sys.argv[1:]))
