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

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from airtally.kit.addresses import neighbourhood

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
    """Failures by address, leaking away at `FREE` a minute. Thread-safe, never blocks, about 2 MB at most."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._counts: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def failed(self, host: str) -> float:
        """Note that a credential from this address was wrong; for how many seconds its answer is to wait, one at most.

        An IPv6 address stands for its /64. Several at one moment count each, so guessing in parallel is slowed too.
        """
        address, now = neighbourhood(host), self._now()
        with self._lock:
            count, at = self._counts.pop(address, (0.0, now))
            count = max(0.0, count - (now - at) * FREE / _FREE_SECONDS) + 1
            self._counts[address] = min(count, FREE + _MOST_OVER), now
            if len(self._counts) > MAX_ADDRESSES:
                self._counts.popitem(last=False)
        return 0.0 if count <= FREE else min(MOST_SECONDS, _FIRST_SECONDS * 2 ** (count - FREE - 1))
