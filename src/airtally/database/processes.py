"""The processes that hold leases: each known by an id made at its start, never by its host and process number.

Containers may share a host name, and number their processes alike. That a process is gone is known by its lease, which it
renews for as long as it lives; earlier only where it can be proved: a process keeps a lock on a file of its home, which
the system takes from it with its life. Whoever gets that lock knows that the process is gone. Of processes of other
homes nothing can be proved.
"""

from __future__ import annotations

import re
from pathlib import Path
from uuid import uuid4

from airtally.kit.file_lock import FileLock

_ID = re.compile(r"[0-9a-f]{32}")
_SUFFIX = ".alive"


class ThisProcess:
    """`folder` is one of the home that all processes of the home share."""

    def __init__(self, folder: Path) -> None:
        self.id = uuid4().hex
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._path = self._file(self.id)
        self._lock = FileLock(self._path)
        self._lock.acquire()

    def is_gone(self, process_id: str) -> bool:
        """Whether a process of this home no longer runs. False where that cannot be told."""
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
        """Remove the files of processes that are gone. To be called once nothing of theirs is left to be taken over."""
        for path in self._folder.glob(f"*{_SUFFIX}"):
            if self.is_gone(path.name.removesuffix(_SUFFIX)):
                path.unlink(missing_ok=True)

    def close(self) -> None:
        self._path.unlink(missing_ok=True)
        self._lock.release()

    def _file(self, process_id: str) -> Path:
        return self._folder / f"{process_id}{_SUFFIX}"
