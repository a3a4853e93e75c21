"""A lock that ends with its process, however that ends: the system's `flock` on a file of its own.

Why not `filelock`: docs/decisions/0020-libraries-not-taken.md.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class FileLock:
    """Holds others off, those of this process too, from `acquire` to `release`. To be used by one thread at a time.

    The file stays when the lock is released; whoever removes it does so while holding the lock.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def acquire(self, *, wait: bool = False, create: bool = True) -> bool:
        """False where somebody else holds it; with `wait` never. Raises FileNotFoundError unless it may `create`."""
        descriptor = os.open(self.path, os.O_RDWR | (os.O_CREAT if create else 0), 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            os.close(descriptor)
            return False
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Nothing happens where it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Waits for whoever holds it."""
        self.acquire(wait=True)
        try:
            yield
        finally:
            self.release()
