"""Files copied whole: written under another name, hashed on the way, synced, then renamed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from airtally.kit.disks import is_full
from airtally.kit.durable import sync_file, sync_path
from airtally.kit.errors import StorageFull
from airtally.kit.faults import NO_FAULTS, Faults

_CHUNK = 1 << 20
#: A copy that is not finished yet: of no use to anybody else.
DRAFT = ".copying"


@dataclass(frozen=True, slots=True)
class Copier:
    """Copies files one after the other; `told` gets the bytes of each piece that was copied, or found to be there."""

    faults: Faults = NO_FAULTS
    told: Callable[[int], None] = lambda _: None

    def copied(self, source: Path, target: Path) -> tuple[int, str]:
        """Copy a file that nobody changes any more; returns its size and SHA-256.

        One that was copied before (same size, same time of change) is only hashed. Raises FileNotFoundError where the
        source is gone, and other OSErrors.
        """
        before = source.stat()
        if _is_copy(target, before):
            self.told(before.st_size)
            return hashed(target)
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = target.with_name(target.name + DRAFT)
        found = self._written(source, draft)
        os.utime(draft, ns=(before.st_atime_ns, before.st_mtime_ns))
        draft.replace(target)
        return found

    def _written(self, source: Path, draft: Path) -> tuple[int, str]:
        digest, size = hashlib.sha256(), 0
        with source.open("rb") as reading, draft.open("wb") as writing:
            while chunk := reading.read(_CHUNK):
                self.faults.reach("backup.copy")
                digest.update(chunk)
                writing.write(chunk)
                size += len(chunk)
                self.told(len(chunk))
            sync_file(writing)
        return size, digest.hexdigest()


def hashed(path: Path) -> tuple[int, str]:
    """The size and SHA-256 of a file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
        return file.tell(), digest.hexdigest()


def sync_folders(folder: Path) -> None:
    """Make the names of all files below durable."""
    for each, _, _ in os.walk(folder):
        sync_path(Path(each))


@contextmanager
def full_in_words(place: Path, again: str) -> Iterator[None]:
    """A full disk as StorageFull that says which and how to go on."""
    try:
        yield
    except OSError as error:
        if not is_full(error):
            raise
        raise StorageFull(
            f"The disk of {place} is full", hint=f"Free disk space, then {again}: what is copied already stays"
        ) from error


def _is_copy(target: Path, source: os.stat_result) -> bool:
    try:
        found = target.stat()
    except FileNotFoundError:
        return False
    return found.st_size == source.st_size and found.st_mtime_ns == source.st_mtime_ns
