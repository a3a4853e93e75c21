"""How many e-mails an account may send in an hour: whoever may name the addresses could otherwise flood them."""

from __future__ import annotations

from airtally.kit.cache import Cache
from airtally.kit.clock import Clock
from airtally.kit.time import MINUTE_US

MAILS_PER_HOUR = 500
_WINDOW_US = 60 * MINUTE_US
_MAX_ACCOUNTS = 10_000


class MailLimit:
    """Fixed windows of an hour by the clock, counted in this process. Thread-safe."""

    def __init__(self, clock: Clock, *, per_hour: int = MAILS_PER_HOUR) -> None:
        self.per_hour = per_hour
        self._clock = clock
        self._counts: Cache[int, tuple[int, int]] = Cache(_MAX_ACCOUNTS)

    def take(self, account_id: int) -> int | None:
        """Count one e-mail of the account; if it may send no more, return the microseconds until it may again."""
        window, into = divmod(self._clock.now_us(), _WINDOW_US)
        with self._counts.locked() as counts:
            counted_in, count = counts.get(account_id, (window, 0))
            sent = count if counted_in == window else 0
            if sent >= self.per_hour:
                return _WINDOW_US - into
            counts[account_id] = (window, sent + 1)
        return None
