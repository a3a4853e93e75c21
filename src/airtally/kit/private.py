"""File permissions of the home: folders 0700 and files 0600, whatever the umask."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import structlog

from airtally.kit.errors import Unavailable

_log = structlog.get_logger()

#: In a home that a restore has not finished yet.
RESTORING = "restoring.json"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
#: All that Airtally makes in a home. A folder with anything else in it may have other uses, and stays open.
_FOLDERS = frozenset({"buffer", "files", "lake", "locks", "maps", "processes", "staging", "tmp", "demo-files"})
_FILES = (
    "metadata.sqlite",
    "secret.key",
    ".secret.key.",
    "listening.json",
    "marks",
    "demo.json",
    "calls.sh",
    RESTORING,
)
_MADE_BY_SYSTEMS = frozenset({"lost+found", ".snapshot"})
#: One of them is in every home that was opened.
_IN_USE = ("metadata.sqlite", "secret.key", "buffer", "processes")


def keep_private(*, shared: bool) -> None:
    """Set the umask so that files made from now on, by child processes too, are readable by their owner only.

    `shared`: tables or files lie in a folder outside the home, which others may be meant to read. Then the umask is
    left as it is, and only the home's own folder is closed.
    """
    if not shared:
        os.umask(_OTHERS)


def enclose(home: Path, *, shared: bool) -> None:
    """Create the home, or restrict the permissions of an existing one. Failures are logged; `doctor` lists them.

    A folder that also holds other files, or belongs to another user, stays open; Airtally's own files in it are closed.
    Raises Unavailable for a home that a restore has not finished.
    """
    keep_private(shared=shared)
    check_restored(home)
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        entries = list(os.scandir(home))
        for entry in entries:
            if _is_ours(entry.name):
                _close(Path(entry.path))
        if all(_is_ours(entry.name) or entry.name in _MADE_BY_SYSTEMS for entry in entries):
            _close_one(home)
    except OSError as error:
        _log.warning("the home could not be closed to others", path=str(error.filename), error=error.strerror)


def check_restored(home: Path) -> None:
    """Raises Unavailable for a home that a restore has not finished: whatever was made in it now would be in the way."""
    if (home / RESTORING).exists():
        raise Unavailable(f"The restore of {home} was not finished", hint="Run the same `airtally restore` again")


def is_in_use(home: Path) -> bool:
    """Whether the folder is a home already."""
    return any((home / name).exists() for name in _IN_USE)


def open_to_others(home: Path, *, shared: bool) -> Iterator[Path]:
    """The home, if others can enter it, and everything in it that others can read or write, outermost first.

    In a closed home such files matter for backups and copies. With `shared` they are expected, and not listed.
    """
    if _is_open(home):
        yield home
    elif shared:
        return
    for folder, folders, files in os.walk(home):
        yield from (path for name in (*folders, *files) if _is_open(path := Path(folder, name)))


def _is_ours(name: str) -> bool:
    return name in _FOLDERS or name.startswith(_FILES)


def _close(path: Path) -> None:
    """The folder itself comes last, so that an interrupted run is finished at the next start."""
    if not _is_open(path):
        return
    for folder, folders, files in os.walk(path):
        for name in (*folders, *files):
            _close_one(Path(folder, name))
    _close_one(path)


def _close_one(path: Path) -> None:
    if _is_open(path):
        try:
            path.chmod(path.stat().st_mode & ~_OTHERS & 0o7777)
        except FileNotFoundError:
            return  # another process removed it


def _is_open(path: Path) -> bool:
    """Symbolic links are not followed."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return False
    return not stat.S_ISLNK(mode) and bool(mode & _OTHERS)
