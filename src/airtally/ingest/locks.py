"""One process of a machine at a time does what is named; a lock ends with its process, however that ends."""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: Names share so many files, which are never deleted: two names of one file only wait for each other.
_FILES = 64


class Locks:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def held(self, *name: str) -> Iterator[None]:
        """Waits for whoever holds it. Not to be nested."""
        digest = hashlib.sha256("\0".join(name).encode()).digest()
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / f"{digest[0] % _FILES:02}.lock").open("wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
