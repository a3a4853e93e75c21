"""Locks by name between the processes of a machine; a lock ends with its process."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from airtally.kit.file_lock import FileLock

#: Names share this many files, which are never deleted; two names may have one file, and then wait for each other.
_FILES = 64


class Locks:
    """Lock files in a folder. Thread-safe: the operating system decides who holds a lock, and this keeps no state."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def held(self, *name: str) -> Iterator[None]:
        """Wait for the lock and hold it. Do not nest: two names may share a file."""
        digest = hashlib.sha256("\0".join(name).encode()).digest()
        self._folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self._folder / f"{digest[0] % _FILES:02}.lock").held():
            yield
