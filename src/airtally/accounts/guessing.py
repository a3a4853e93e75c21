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

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from airtally.kit.addresses import neighbourhood

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
    """Counts failures by address, a leaky bucket of `FREE` a minute. Thread-safe, never blocks, 2 MB at most."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._counts: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def failed(self, host: str) -> float:
        """Count a wrong credential from this address. Returns the seconds to delay its answer, at most one.

        IPv6 addresses are counted by their /64. Parallel guesses each count.
        """
        address, now = neighbourhood(host), self._now()
        with self._lock:
            count, at = self._counts.pop(address, (0.0, now))
            count = max(0.0, count - (now - at) * FREE / _FREE_SECONDS) + 1
            self._counts[address] = min(count, FREE + _MOST_OVER), now
            if len(self._counts) > MAX_ADDRESSES:
                self._counts.popitem(last=False)
        return 0.0 if count <= FREE else min(MOST_SECONDS, _FIRST_SECONDS * 2 ** (count - FREE - 1))
