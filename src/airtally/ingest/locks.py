"""One process of a machine at a time does what is named; a lock ends with its process, however that ends."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from airtally.kit.file_lock import FileLock

#: Names share so many files, which are never deleted: two names of one file only wait for each other.
_FILES = 64


class Locks:
    """Files of locks in a folder. Thread-safe: the system decides who holds one, and no state is kept here."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def held(self, *name: str) -> Iterator[None]:
        """Waits for whoever holds it. Not to be nested."""
        digest = hashlib.sha256("\0".join(name).encode()).digest()
        self._folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self._folder / f"{digest[0] % _FILES:02}.lock").held():
            yield
