"""Failing parts of a background step, such as one account's: retried after growing waits, listed for operators."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass

_SHORTEST_SECONDS = 5.0
_LONGEST_SECONDS = 900.0
_SHOWN = 20
_WORDS = 200


@dataclass(frozen=True, slots=True)
class _Trouble:
    what: str
    why: str
    tries: int
    until: float


class Troubles:
    """Parts that fail, by key; a step skips those that still wait. `now` is monotonic, in seconds.

    Thread-safe by one lock around changes; `waits` reads without it, as entries are replaced and never changed.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._found: dict[Hashable, _Trouble] = {}

    def waits(self, key: Hashable) -> bool:
        """Whether it is too early to try again."""
        found = self._found.get(key)
        return found is not None and self._now() < found.until

    def failed(self, key: Hashable, what: str, error: BaseException) -> float:
        """Note a failure of `what`, described for operators. Returns the seconds until the next try."""
        why = (str(error).strip() or type(error).__name__).splitlines()[0][:_WORDS]
        with self._lock:
            tries = self._found[key].tries + 1 if key in self._found else 1
            wait = min(_SHORTEST_SECONDS * float(1 << min(tries - 1, 10)), _LONGEST_SECONDS)
            self._found[key] = _Trouble(what, why, tries, self._now() + wait)
        return wait

    def well(self, key: Hashable) -> None:
        if key in self._found:
            with self._lock:
                self._found.pop(key, None)

    def words(self) -> list[str]:
        """One line for each, the oldest first; at most 20 and a count of the rest."""
        with self._lock:
            found = list(self._found.values())
        lines = [f"{each.what}: {each.why} (tried {each.tries} times)" for each in found[:_SHOWN]]
        return lines + ([f"and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else [])
