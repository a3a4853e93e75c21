"""When a request that failed is sent again."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from airtally.client.errors import Again, AirtallyError


@dataclass(frozen=True, slots=True)
class RetryRules:
    """Waits double from `first` to at most `most` seconds, each shortened by chance by up to a half.

    While the server is busy or away a request is tried for `patience` seconds (one that only reads: `read_patience`)
    from its first try; `attempts` answers that should not be (a garbled one, a 500) are the last. What the server asks
    for with `Retry-After` is waited at least.
    """

    patience: float = 300.0
    read_patience: float = 30.0
    attempts: int = 5
    first: float = 0.25
    most: float = 30.0

    def __post_init__(self) -> None:
        if self.attempts < 1 or min(self.patience, self.read_patience) < 0 or not 0 < self.first <= self.most:
            raise ValueError("attempts must be 1 or more, patience 0 or more, and first above 0 and at most `most`")


class RequestTries:
    """The tries of one request. `now` gives seconds of a clock that is never set back, `chance` a number in [0, 1)."""

    def __init__(
        self,
        policy: RetryRules,
        patience: float,
        now: Callable[[], float],
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._policy, self._now, self._chance = policy, now, chance
        self._deadline = now() + patience
        self._made = self._odd = 0

    def wait_after(self, error: AirtallyError) -> float | None:
        """Seconds to wait before the next try; None if there is none. Call it once after each try."""
        self._made += 1
        if error.again is Again.NO:
            return None
        self._odd += error.again is Again.A_FEW_TIMES
        if self._odd >= self._policy.attempts:
            return None
        left = self._deadline - self._now()
        asked = error.retry_after or 0.0
        if left <= 0 or asked > left:
            return None
        longest = min(self._policy.first * 2.0 ** min(self._made - 1, 60), self._policy.most)
        backoff = longest * (1 - self._chance() / 2)
        return max(asked * (1 + self._chance() / 10), min(backoff, left))
