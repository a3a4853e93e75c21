"""Copies of the metadata and the buffers as they were at one moment, while processes go on writing to both.

An answered `Idempotency-Key` must not be without its rows, nor rows without the answer. So nobody may write metadata
while the moment is fixed: a transaction that reads is begun on each file, in some milliseconds. What is copied later is
what those transactions see.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from airtally.backup.copying import DRAFT, Copier, hashed
from airtally.backup.manifest import BackedUpFile
from airtally.database.store import BUSY_SECONDS
from airtally.kit.durable import publish_file
from airtally.kit.errors import StorageFull, Unavailable
from airtally.kit.file_lock import FileLock
from airtally.storage.buffer.damage import KEPT, orphans
from airtally.storage.buffer.store import beside

#: Pages of 4 to 8 KiB that are copied at once.
_PAGES = 4096
_ENDS = ("", "-wal", "-shm")


@dataclass(frozen=True, slots=True)
class PinnedDatabase:
    """A SQLite file, read as of the moment that its connection's transaction began."""

    place: str
    connection: sqlite3.Connection

    def copy(self, target: Path) -> BackedUpFile:
        """Raises StorageFull, and Unavailable where the file is damaged."""
        path = target / self.place
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = path.with_name(path.name + DRAFT)
        draft.unlink(missing_ok=True)
        try:
            with closing(sqlite3.connect(draft, isolation_level=None)) as copy:
                self.connection.backup(copy, pages=_PAGES)
                copy.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
        except sqlite3.Error as error:
            raise _in_words(self.place, error) from error
        publish_file(draft, path)
        return BackedUpFile(self.place, *hashed(path))


@dataclass(frozen=True, slots=True)
class DeadBuffer:
    """Files of a buffer whose process has died, which nobody changes: they are copied as they were found."""

    files: tuple[Path, ...]

    def copy(self, target: Path, copier: Copier) -> list[BackedUpFile]:
        return [
            BackedUpFile(f"buffer/{each.name}", *copier.copied(each, target / "buffer" / each.name))
            for each in self.files
        ]


class PinnedHome:
    """Buffers and metadata of one moment. `copy` may take its time."""

    def __init__(self, metadata: PinnedDatabase | None, buffers: list[PinnedDatabase], dead: list[DeadBuffer]) -> None:
        self._metadata = metadata
        self._buffers = buffers
        self._dead = dead

    def copy(self, target: Path, copier: Copier) -> list[BackedUpFile]:
        found = [] if self._metadata is None else [self._metadata.copy(target)]
        found += [each.copy(target) for each in self._buffers]
        return found + [file for each in self._dead for file in each.copy(target, copier)]


@contextmanager
def pinned_home(metadata: Path | None, buffers: Path) -> Iterator[PinnedHome]:
    """Fix the moment; until the end of the block nothing of it is lost. `metadata` is None where it is no file.

    Raises Unavailable where a file cannot be read.
    """
    with ExitStack() as closing_all:
        with _nobody_writes(metadata):
            found = [] if metadata is None else [_pinned(metadata, "metadata.sqlite", closing_all)]
            alive, dead = _pinned_buffers(buffers, closing_all)
        yield PinnedHome(found[0] if found else None, alive, dead)


@contextmanager
def _nobody_writes(metadata: Path | None) -> Iterator[None]:
    if metadata is None:
        yield
        return
    _refuse_emptied(metadata)
    try:
        with closing(sqlite3.connect(metadata, isolation_level=None, timeout=BUSY_SECONDS)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            finally:
                connection.execute("ROLLBACK")
    except sqlite3.Error as error:
        raise _in_words(str(metadata), error) from error


def _pinned(path: Path, place: str, closing_all: ExitStack) -> PinnedDatabase:
    """Read only: closing the last connection that may write would move or delete the log."""
    _refuse_emptied(path)
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=BUSY_SECONDS
        )
        closing_all.callback(connection.close)
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except sqlite3.Error as error:
        raise _in_words(str(path), error) from error
    return PinnedDatabase(place, connection)


def _pinned_buffers(folder: Path, closing_all: ExitStack) -> tuple[list[PinnedDatabase], list[DeadBuffer]]:
    """A process that dies or starts meanwhile is waited for by nobody: it has to write metadata too."""
    alive, dead = [], [DeadBuffer(tuple(sorted(folder.glob(f"*{KEPT}*"))))]
    for path in orphans(folder):
        lock = FileLock(path.with_suffix(".lock"))
        if lock.acquire():  # its process has died: nobody adopts it until the end
            closing_all.callback(lock.release)
            dead.append(DeadBuffer(tuple(each for end in _ENDS if (each := beside(path, end)).exists())))
            if not dead[-1].files:
                lock.path.unlink(missing_ok=True)
        elif path.exists():
            alive.append(_pinned(path, f"buffer/{path.name}", closing_all))
    return alive, dead


def _refuse_emptied(path: Path) -> None:
    """SQLite would delete the log of a file that somebody has emptied, and with it the last copy of its rows."""
    log = beside(path, "-wal")
    if path.stat().st_size <= 1 and log.exists() and log.stat().st_size:
        raise Unavailable(
            f"{path} is empty, and its log is not: it is damaged", hint="Stop its process: the rest is saved"
        )


def _in_words(what: str, error: sqlite3.Error) -> Unavailable | StorageFull:
    if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL:
        return StorageFull(f"There is no room for the copy of {what}", hint="Free disk space, then run it again")
    return Unavailable(f"{what} cannot be copied: {error}", hint="`airtally doctor` looks into it")
