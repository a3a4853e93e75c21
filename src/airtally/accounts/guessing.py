"""Slows the guessing of keys: answers that refuse a credential are delayed, longer with each, by address.

How the outermost ASGI layer uses it, with `Attempt` and `ATTEMPT` of `kit/attempts.py`:

    attempt = Attempt()
    ATTEMPT.set(attempt)                # before the request is handled; each request has its own context
    ...
    if attempt.failed:                  # before the answer's first message is sent, whatever its status
        await asyncio.sleep(guesses.failed(host))

The status cannot tell: ScaleEngine and Pushwoosh refuse with 200, and a valid key without permission gets 403.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from airtally.kit.addresses import neighbourhood
from airtally.kit.cache import Cache

#: Refused credentials of an address that are answered at once, per minute: somebody may be fixing a configuration.
FREE = 10
_FREE_SECONDS = 60.0
_FIRST_SECONDS = 0.05
#: Far below clients' timeouts. A guesser gets ten tries at once, then one a second on each connection.
MOST_SECONDS = 1.0
#: The highest count: whoever stops guessing is answered at once again within 50 seconds.
_MOST_OVER = 8.0
MAX_ADDRESSES = 10_000


class Guesses:
    """Failures by address, leaking away at `FREE` a minute. Thread-safe by the cache's lock; about 2 MB at most."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._counts: Cache[str, tuple[float, float]] = Cache(MAX_ADDRESSES)

    def failed(self, host: str) -> float:
        """Count a wrong credential from this address. Returns the seconds to delay its answer, at most one.

        IPv6 addresses are counted by their /64. Parallel guesses each count.
        """
        address, now = neighbourhood(host), self._now()
        with self._counts.locked() as counts:
            count, at = counts.get(address, (0.0, now))
            count = max(0.0, count - (now - at) * FREE / _FREE_SECONDS) + 1
            counts[address] = min(count, FREE + _MOST_OVER), now
        return 0.0 if count <= FREE else min(MOST_SECONDS, _FIRST_SECONDS * 2 ** (count - FREE - 1))
