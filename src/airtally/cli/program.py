"""The program with all its commands."""

from __future__ import annotations

import cyclopts

from airtally import __version__
from airtally.cli import COMMANDS

app = cyclopts.App(
    name="airtally", version=__version__, help="Measurement and reporting server for people who run media."
)

for command, target, summary in COMMANDS:
    app.command(target, name=command, help=summary)
