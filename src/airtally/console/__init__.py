"""The console: pages for people."""

from airtally.console.login import routes

__all__ = ["routes"]
