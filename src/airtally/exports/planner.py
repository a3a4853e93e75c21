"""What reads the specifications of exports; it stands above, with the API that defines their words.

Apart from `wanted.py`, which the child process loads: it needs no accounts.
"""

from __future__ import annotations

from typing import Protocol

from airtally.accounts.accounts import Account
from airtally.exports.spec import ExportSpec
from airtally.exports.wanted import Wanted


class ExportPlanner(Protocol):
    """Reads specifications. The same one at the same `as_of_us` gives the same, so that work can be taken up again."""

    def plan(self, spec: ExportSpec, account: Account, as_of_us: int) -> Wanted:
        """Raises NotFound for an unknown stream, Unprocessable for what cannot be asked."""
        ...
