"""The lock of one account's changelog: either one batch or several single records may be changed at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class ChangelogLocks:
    """A batch waits for all others, and no new key gets in before it; equal keys wait for each other.

    Thread-safe by one condition.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._whole = False
        self._waiting = 0
        self._keys: set[str] = set()

    @contextmanager
    def of_batch(self) -> Iterator[None]:
        with self._changed:
            self._waiting += 1
            self._changed.wait_for(lambda: not self._whole and not self._keys)
            self._waiting -= 1
            self._whole = True
        try:
            yield
        finally:
            with self._changed:
                self._whole = False
                self._changed.notify_all()

    @contextmanager
    def of_key(self, key: str) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: not self._whole and not self._waiting and key not in self._keys)
            self._keys.add(key)
        try:
            yield
        finally:
            with self._changed:
                self._keys.discard(key)
                self._changed.notify_all()
