"""The command line: one file a command group, each loaded only when called."""

from __future__ import annotations

import sys

import cyclopts

from airtally import __version__

app = cyclopts.App(
    name="airtally", version=__version__, help="Measurement and reporting server for people who run media."
)

for command, target, summary in (
    ("serve", "airtally.cli.serve:serve", "API, pages and jobs in one process."),
    ("worker", "airtally.cli.serve:worker", "Jobs only."),
    ("demo", "airtally.cli.demo:demo", "Sample accounts, keys and some million events in a fresh home, then serve."),
    ("account", "airtally.cli.account:app", "Accounts."),
    ("user", "airtally.cli.user:app", "People who may open an account's pages."),
    ("key", "airtally.cli.key:app", "Keys of every API."),
    ("slate", "airtally.cli.slate:app", "What a Slate partner sees: accounts, groups, businesses, codes."),
    ("ingest", "airtally.cli.ingest:ingest", "Rows from files."),
    ("quarantine", "airtally.cli.quarantine:app", "Rows that were refused."),
    ("delivery", "airtally.cli.delivery:app", "Webhook deliveries."),
    ("dataset", "airtally.cli.dataset:app", "Dataset files of changelogs."),
    ("lake", "airtally.cli.lake:app", "The tables: status, compact, expire, rollups."),
    ("doctor", "airtally.cli.doctor:doctor", "Checks the set-up and says what to mend."),
):
    app.command(target, name=command, help=summary)


def main() -> None:
    """Entry point of the program `airtally`. Settings may be given before the command: `airtally --home DIR key list`."""
    from airtally.cli.common import with_settings_flags  # noqa: PLC0415 (loaded only when called)

    app(with_settings_flags(sys.argv[1:]))
