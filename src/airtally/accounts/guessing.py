"""Guesses of keys are slowed: the answers that refuse a credential wait, by address and growing. No other answer waits.

How the outermost ASGI layer uses it, with `Attempt` and `ATTEMPT` of `kit/attempts.py`:

    attempt = Attempt()
    ATTEMPT.set(attempt)                # before the request is handled; each request has a context of its own
    ...
    if attempt.failed:                  # when the answer's first message is to be sent, whatever its status
        await asyncio.sleep(guesses.failed(host))

The status does not tell: ScaleEngine and Pushwoosh refuse with 200, and an account's own limits with 403.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from airtally.kit.addresses import neighbourhood
from airtally.kit.cache import Cache

#: So many refused credentials of an address in a minute are answered at once: somebody mends a configuration.
FREE = 10
_FREE_SECONDS = 60.0
_FIRST_SECONDS = 0.05
#: Far below what clients wait for an answer. A guesser has ten tries at once, then one a second on each connection.
MOST_SECONDS = 1.0
#: Above it a count is not raised: whoever stops guessing is answered at once again within 50 seconds.
_MOST_OVER = 8.0
MAX_ADDRESSES = 10_000


class Guesses:
    """Failures by address, leaking away at `FREE` a minute. Thread-safe by the cache's lock; about 2 MB at most."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._counts: Cache[str, tuple[float, float]] = Cache(MAX_ADDRESSES)

    def failed(self, host: str) -> float:
        """Note that a credential from this address was wrong; for how many seconds its answer is to wait, one at most.

        An IPv6 address stands for its /64. Several at one moment count each, so guessing in parallel is slowed too.
        """
        address, now = neighbourhood(host), self._now()
        with self._counts.locked() as counts:
            count, at = counts.get(address, (0.0, now))
            count = max(0.0, count - (now - at) * FREE / _FREE_SECONDS) + 1
            counts[address] = min(count, FREE + _MOST_OVER), now
        return 0.0 if count <= FREE else min(MOST_SECONDS, _FIRST_SECONDS * 2 ** (count - FREE - 1))
