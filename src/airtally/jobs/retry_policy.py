"""When what failed is tried again: how often, and after which waits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """`waits`, in seconds: before the second attempt, the third and so on; the last one repeats.

    At most `attempts` are made; None: as many as it takes. A policy has no clock and remembers nothing: the attempts
    and the moment of the next one are in the database, where they outlive a restart.
    """

    waits: tuple[float, ...]
    attempts: int | None = None

    @classmethod
    def ending_after(cls, waits: Iterable[float]) -> RetryPolicy:
        """One attempt after each wait, and then no more."""
        kept = tuple(waits)
        return cls(kept, len(kept) + 1)

    def allows(self, attempt: int) -> bool:
        """Whether the attempt of this number is to be made; the first is 1."""
        return self.attempts is None or attempt <= self.attempts

    def wait(self, attempt: int) -> float | None:
        """Seconds from the attempt of this number to the next; None after the last."""
        if not self.allows(attempt + 1):
            return None
        return self.waits[min(attempt, len(self.waits)) - 1]

    def wait_at(self, age: float) -> float:
        """Seconds to the next attempt of what has been tried for `age` seconds, where nobody counted the attempts."""
        begun = 0.0
        for wait in self.waits:
            begun += wait
            if age < begun:
                return wait
        return self.waits[-1]
