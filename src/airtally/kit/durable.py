"""Files that survive a power loss: written beside their place, synced, renamed, and the folder synced.

A rename without a sync of the file may leave an empty file after a power loss; one without a sync of the folder may be
undone. What a reader finds under the name is whole at any time.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import IO


def sync_path(path: Path) -> None:
    """What was written to a file, or made, renamed and removed in a folder, is on disk when this returns."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file(file: IO[bytes]) -> None:
    """The same for a file that is open for writing."""
    file.flush()
    os.fsync(file.fileno())


def sync_and_hash(path: Path) -> tuple[int, str]:
    """The size and SHA-256, in hex, of a file, which is synced first."""
    sync_path(path)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
        return file.tell(), digest.hexdigest()


def write_file(path: Path, content: bytes, *, draft: Path | None = None) -> None:
    """Put a file of this content in the place of what is there, readable by its owner alone.

    `draft`: a name in the same folder that nobody else writes to meanwhile; by default one that is new.
    """
    draft = draft or _draft_of(path)
    _fill(draft, content)
    publish_file(draft, path)


def create_file(path: Path, content: bytes) -> bool:
    """The same where there is no such file yet. False where another process was first: its file stays."""
    draft = _draft_of(path)
    try:
        _fill(draft, content)
        sync_path(draft)
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        with suppress(FileNotFoundError):
            draft.unlink()
    sync_path(path.parent)
    return True


def publish_file(source: Path, target: Path) -> None:
    """Give a finished file its name, which must be on the same disk; what had that name is replaced."""
    sync_path(source)
    source.replace(target)
    sync_path(target.parent)


def _draft_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}")


def _fill(draft: Path, content: bytes) -> None:
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
