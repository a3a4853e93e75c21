"""Temporary folders for what does not fit in memory. One left by a crash is removed when the next is made."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path

from airtally.kit.file_lock import FileLock

LOCK = "lock"


class Scratch:
    """A folder of its own in `parent`, locked until `close` removes it."""

    def __init__(self, parent: Path, name: str) -> None:
        parent.mkdir(parents=True, exist_ok=True)
        with FileLock(parent / LOCK).held():
            for left_over in parent.glob(f"{name}-*"):
                _remove_if_unlocked(left_over)
            self.folder = parent / f"{name}-{uuid.uuid4().hex}"
            self.folder.mkdir()
            self._lock = FileLock(self.folder / LOCK)
            self._lock.acquire()

    def close(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self._lock.release()


def _remove_if_unlocked(folder: Path) -> None:
    lock = FileLock(folder / LOCK)
    if lock.acquire():  # else its owner lives
        shutil.rmtree(folder, ignore_errors=True)
        lock.release()
