"""How many e-mails an account may send in an hour: whoever may name the addresses could otherwise flood them."""

from __future__ import annotations

from airtally.kit.clock import Clock
from airtally.kit.time import MINUTE_US
from airtally.kit.windows import FixedWindows

MAILS_PER_HOUR = 500
_MAX_ACCOUNTS = 10_000


class MailLimit:
    """Fixed windows of an hour by the clock, counted in this process. Thread-safe."""

    def __init__(self, clock: Clock, *, per_hour: int = MAILS_PER_HOUR) -> None:
        self.per_hour = per_hour
        self._mails = FixedWindows(clock, window_us=60 * MINUTE_US, max_keys=_MAX_ACCOUNTS)

    def take(self, account_id: int) -> int | None:
        """Count one e-mail of the account; if it may send no more, return the microseconds until it may again."""
        count, left_us = self._mails.count(account_id)
        return left_us if count > self.per_hour else None
