"""The worker processes of one `airtally serve --workers N`, and the folder that they share with their parent."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from airtally.kit.durable import write_file
from airtally.kit.file_lock import FileLock

_SUFFIX = ".workers"
_LOCK = "parent.lock"
_TROUBLES = "troubles.json"
TURNS = "connections"


@dataclass(frozen=True, slots=True)
class Crew:
    """All workers as one of them sees them: it is `number` of `count`, from 1."""

    folder: Path
    number: int
    count: int

    @property
    def leads(self) -> bool:
        """Whether this worker does the background work of all."""
        return self.number == 1

    @property
    def turns(self) -> Path:
        """The file of `web/turns.py`."""
        return self.folder / TURNS

    def troubles(self) -> list[str]:
        """What the parent says of workers that cannot be started."""
        try:
            return [str(each) for each in json.loads((self.folder / _TROUBLES).read_bytes())]
        except FileNotFoundError:
            return []


@contextmanager
def crew_folder(processes: Path) -> Iterator[Path]:
    """A folder for the workers of this process, in that of all processes of the home, until the block ends.

    Those of parents that were killed are removed.
    """
    processes.mkdir(parents=True, exist_ok=True)
    for left in processes.glob(f"*{_SUFFIX}"):
        _remove_if_left(left)
    folder = processes / f"{uuid4().hex}{_SUFFIX}"
    folder.mkdir()
    lock = FileLock(folder / _LOCK)
    lock.acquire()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        lock.release()


def note_troubles(folder: Path, troubles: Sequence[str]) -> None:
    """Tell the workers. On a full disk the note stays as it was: each of them says that itself."""
    with suppress(OSError):
        write_file(folder / _TROUBLES, json.dumps(list(troubles)).encode())


def _remove_if_left(folder: Path) -> None:
    """A folder without a lock is one that another parent is making at this moment."""
    lock = FileLock(folder / _LOCK)
    try:
        if lock.acquire(create=False):
            shutil.rmtree(folder, ignore_errors=True)
            lock.release()
    except (FileNotFoundError, NotADirectoryError):
        return
