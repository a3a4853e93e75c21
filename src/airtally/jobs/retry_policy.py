"""Retry schedules: how often something is tried, and the waits in between."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """`waits`, in seconds: before the second attempt, the third and so on; the last one repeats.

    At most `attempts` are made, any number if that is None. A policy keeps no state: the number of attempts and the
    time of the next are in the database, so that a restart changes nothing.
    """

    waits: tuple[float, ...]
    attempts: int | None = None

    @classmethod
    def ending_after(cls, waits: Iterable[float]) -> RetryPolicy:
        """A policy with one attempt after each wait and no more."""
        kept = tuple(waits)
        return cls(kept, len(kept) + 1)

    def allows(self, attempt: int) -> bool:
        """Whether attempt number `attempt` may be made; the first is 1."""
        return self.attempts is None or attempt <= self.attempts

    def wait(self, attempt: int) -> float | None:
        """Seconds from attempt number `attempt` to the next; None after the last."""
        if not self.allows(attempt + 1):
            return None
        return self.waits[min(attempt, len(self.waits)) - 1]

    def wait_at(self, age: float) -> float:
        """Seconds to the next attempt, `age` seconds after the first, for jobs whose attempts are not counted."""
        begun = 0.0
        for wait in self.waits:
            begun += wait
            if age < begun:
                return wait
        return self.waits[-1]
