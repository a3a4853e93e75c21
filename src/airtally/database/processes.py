"""Identifies the processes that hold leases, and tells which of them have ended.

A process is known by an id made at its start, never by its host name and process number, which two containers may
share. A process that has ended renews no lease. Among processes of one home that is known earlier: each keeps a file
lock in the home, which the system releases when the process ends.
"""

from __future__ import annotations

import re
from pathlib import Path
from uuid import uuid4

from airtally.kit.file_lock import FileLock

_ID = re.compile(r"[0-9a-f]{32}")
_SUFFIX = ".alive"


class ThisProcess:
    """The id of this process and its file lock in `folder`, which all processes of the home share."""

    def __init__(self, folder: Path) -> None:
        self.id = uuid4().hex
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._path = self._file(self.id)
        self._lock = FileLock(self._path)
        self._lock.acquire()

    def is_gone(self, process_id: str) -> bool:
        """Whether a process of this home has ended. False where that cannot be told."""
        if process_id == self.id or not _ID.fullmatch(process_id):
            return False
        lock = FileLock(self._file(process_id))
        try:
            gone = lock.acquire(create=False)
        except FileNotFoundError:
            return False
        lock.release()
        return gone

    def tidy(self) -> None:
        """Remove the files of processes that have ended. Call this once their leases have been handed back."""
        for path in self._folder.glob(f"*{_SUFFIX}"):
            if self.is_gone(path.name.removesuffix(_SUFFIX)):
                path.unlink(missing_ok=True)

    def close(self) -> None:
        self._path.unlink(missing_ok=True)
        self._lock.release()

    def _file(self, process_id: str) -> Path:
        return self._folder / f"{process_id}{_SUFFIX}"
