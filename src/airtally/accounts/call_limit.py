"""How many calls of the native API a key, and how many pages of the console a user, may ask for in a minute."""

from __future__ import annotations

from dataclasses import dataclass

from airtally.kit import metrics
from airtally.kit.clock import Clock
from airtally.kit.errors import TooManyRequests
from airtally.kit.time import MINUTE_US, SECOND_US
from airtally.kit.windows import FixedWindows

_MAX_KEYS = 100_000


@dataclass(frozen=True, slots=True)
class Allowance:
    """Calls that are left until the window ends, in `reset_seconds`."""

    limit: int
    remaining: int
    reset_seconds: int

    def headers(self) -> dict[str, str]:
        """As draft-ietf-httpapi-ratelimit-headers has them."""
        return {
            "RateLimit-Policy": f'"calls";q={self.limit};w=60',
            "RateLimit": f'"calls";r={self.remaining};t={self.reset_seconds}',
        }


class CallLimit:
    """Fixed windows of a minute by the clock, counted in this process. Thread-safe."""

    def __init__(self, clock: Clock, *, per_minute: int, enabled: bool = True) -> None:
        self._per_minute = per_minute
        self._enabled = enabled and per_minute > 0
        self._calls = FixedWindows(clock, window_us=MINUTE_US, max_keys=_MAX_KEYS)

    def take_page(self, user_id: int) -> None:
        """Count one page or form of a logged-in user, whatever it asks of the native API. Raises TooManyRequests."""
        self._take(f"user {user_id}", f"You have asked for {self._per_minute} pages in this minute")

    def take(self, key_id: int) -> Allowance | None:
        """Count one call; None if there is no limit. Raises TooManyRequests, which counts too."""
        return self._take(f"key {key_id}", f"The key has made its {self._per_minute} calls of this minute")

    def _take(self, caller: str, refusal: str) -> Allowance | None:
        if not self._enabled:
            return None
        count, left_us = self._calls.count(caller)
        reset = -(-left_us // SECOND_US)
        allowance = Allowance(self._per_minute, max(0, self._per_minute - count), reset)
        if count > self._per_minute:
            metrics.CALLS_LIMITED.labels("native").inc()
            refused = TooManyRequests(
                refusal,
                retry_after=reset,
                hint="Wait as Retry-After says, or ask for more in one call; AIRTALLY_CALLS_PER_MINUTE sets the limit.",
            )
            refused.headers = allowance.headers()
            raise refused
        return allowance
