"""One lock for each of many things, such as for each account: no more of them than are in use."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

K = TypeVar("K", bound=Hashable)
L = TypeVar("L")


class KeyedLocks(Generic[K, L]):
    """`make` gives a lock, of whatever kind. Thread-safe by a lock of its own, held only while one is looked up."""

    def __init__(self, make: Callable[[], L]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._locks: WeakValueDictionary[K, L] = WeakValueDictionary()

    def of(self, key: K) -> L:
        """The same lock for all who have it at one time; the last who lets go of it takes it away."""
        with self._lock:
            found = self._locks.get(key)
            if found is None:
                found = self._locks[key] = self._make()
            return found
