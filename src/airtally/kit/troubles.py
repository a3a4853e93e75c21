"""What cannot be done now, such as one account's part of a background step: put off with growing waits, told in words."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass

_SHORTEST_SECONDS = 5.0
_LONGEST_SECONDS = 900.0
_SHOWN = 20
_WORDS = 200


@dataclass(slots=True)
class _Trouble:
    what: str
    why: str
    tries: int
    until: float


class Troubles:
    """Thread-safe. The rest of a step goes on, and what is put off is tried again when its wait is over.

    `now` in seconds, monotonic.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._found: dict[Hashable, _Trouble] = {}

    def waits(self, key: Hashable) -> bool:
        """Whether it is not to be tried yet."""
        found = self._found.get(key)
        return found is not None and self._now() < found.until

    def failed(self, key: Hashable, what: str, error: BaseException) -> float:
        """Note it, in words for an operator; returns for how many seconds it is put off."""
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
        """One line for each, oldest first."""
        with self._lock:
            found = list(self._found.values())
        lines = [f"{each.what}: {each.why} (tried {each.tries} times)" for each in found[:_SHOWN]]
        return lines + ([f"and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else [])
