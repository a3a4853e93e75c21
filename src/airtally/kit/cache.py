"""What is kept in memory to save time. Every cache of the package is one of these two, or a bounded `lru_cache` of a
pure function: what only grows would fill the memory of a server that runs for months.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Generic, TypeVar

from cachetools import LRUCache, TTLCache

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Cache(Generic[K, V]):
    """At most `max_size` entries, or entries whose sizes add up to at most that; the least recently used leave first.

    `size_of` gives the size of a value, in whatever `max_size` counts (bytes, rows); a value that alone is larger is
    not kept. With `seconds`, an entry is forgotten so long after it was put. Thread-safe by one lock, held for the
    time of a call: no value is made and nothing is read or written under it, so the event loop may call too.
    """

    def __init__(
        self,
        max_size: float,
        *,
        size_of: Callable[[V], float] | None = None,
        seconds: float | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lock = threading.Lock()
        self._size_of = size_of or (lambda _: 1)
        self._entries: LRUCache[K, V] | TTLCache[K, V] = (
            LRUCache(max_size, size_of) if seconds is None else TTLCache(max_size, seconds, now, size_of)
        )

    def get(self, key: K) -> V | None:
        with self._lock:
            return self._entries.get(key)

    def put(self, key: K, value: V) -> None:
        with self._lock:
            self._entries.pop(key, None)
            if self._size_of(value) <= self._entries.maxsize:
                self._entries[key] = value

    def pop(self, key: K) -> V | None:
        with self._lock:
            return self._entries.pop(key, None)

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()

    def __len__(self) -> int:
        with self._lock:
            return len(self._entries)

    @contextmanager
    def locked(self) -> Iterator[MutableMapping[K, V]]:
        """The entries, for a change that depends on what is there: nobody else reads or changes them meanwhile."""
        with self._lock:
            yield self._entries


class StoreCache(Generic[K, V]):
    """What a store said a moment ago: at most `max_entries` values, each for `seconds`.

    Take `generation` before you read the store and give it back with what you read: where something was written
    through this cache in between, what was read may be older, and is not kept. Thread-safe by one lock, held for the
    time of a call and never while the store is asked.
    """

    def __init__(self, max_entries: int, seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        self._cache: Cache[K, V] = Cache(max_entries, seconds=seconds, now=now)
        self.generation = 0

    def get(self, key: K) -> V | None:
        return self._cache.get(key)

    def put_read(self, values: Mapping[K, V], generation: int) -> None:
        with self._cache.locked() as entries:
            if generation == self.generation:
                entries.update(values)

    def put_written(self, values: Mapping[K, V]) -> None:
        with self._cache.locked() as entries:
            self.generation += 1
            entries.update(values)

    def clear(self) -> None:
        """Forget all, and what is being read at this moment."""
        with self._cache.locked() as entries:
            self.generation += 1
            entries.clear()
