"""Identifies the processes that hold leases, and tells which of them have ended.

A process is known by an id made at its start, never by its host name and process number, which two containers may
share. A process that has ended renews no lease. Among processes of one home that is known earlier: each keeps a file
lock in the home, which the system releases when the process ends.
"""

from __future__ import annotations

import fcntl
import os
import re
from pathlib import Path
from uuid import uuid4

_ID = re.compile(r"[0-9a-f]{32}")
_SUFFIX = ".alive"


class ThisProcess:
    """The id of this process and its file lock in `folder`, which all processes of the home share."""

    def __init__(self, folder: Path) -> None:
        self.id = uuid4().hex
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._path = self._file(self.id)
        self._lock = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def is_gone(self, process_id: str) -> bool:
        """Whether a process of this home has ended. False where that cannot be told."""
        if process_id == self.id or not _ID.fullmatch(process_id):
            return False
        try:
            descriptor = os.open(self._file(process_id), os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            os.close(descriptor)
        return True

    def tidy(self) -> None:
        """Remove the files of processes that have ended. Call this once their leases have been handed back."""
        for path in self._folder.glob(f"*{_SUFFIX}"):
            if self.is_gone(path.name.removesuffix(_SUFFIX)):
                path.unlink(missing_ok=True)

    def close(self) -> None:
        self._path.unlink(missing_ok=True)
        os.close(self._lock)

    def _file(self, process_id: str) -> Path:
        return self._folder / f"{process_id}{_SUFFIX}"
