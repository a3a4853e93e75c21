"""What was read a moment ago, remembered within bounds."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Memory(Generic[K, V]):
    """At most `largest` values, each for `seconds` after it was put. Thread-safe.

    `generation` is to be taken before something is read, and given when it is put: what was written here
    in between is not covered by what was read before.
    """

    def __init__(self, largest: int, seconds: float) -> None:
        self._largest = largest
        self._seconds = seconds
        self._values: dict[K, tuple[float, V]] = {}
        self._lock = threading.Lock()
        self.generation = 0

    def get(self, key: K) -> V | None:
        entry = self._values.get(key)
        return entry[1] if entry is not None and time.monotonic() < entry[0] else None

    def put_read(self, values: Mapping[K, V], generation: int) -> None:
        with self._lock:
            if generation == self.generation:
                self._put(values)

    def put_written(self, values: Mapping[K, V]) -> None:
        with self._lock:
            self.generation += 1
            self._put(values)

    def _put(self, values: Mapping[K, V]) -> None:
        """The oldest go where there is no room."""
        until = time.monotonic() + self._seconds
        for key, value in values.items():
            self._values.pop(key, None)
            self._values[key] = (until, value)
        while len(self._values) > self._largest:
            self._values.pop(next(iter(self._values)))
