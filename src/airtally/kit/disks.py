"""Checks for free disk space."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

from airtally.kit.errors import StorageFull

#: A disk with less counts as full: a database commit might not fit. `doctor` warns at 2 GiB.
LEAST_BYTES = 2 << 20
#: What is left of a disk to rows and metadata by work that can wait: so much, or this share of a small disk.
RESERVE_BYTES = 2 << 30
RESERVE_SHARE = 1 / 20
_FULL = {errno.ENOSPC, errno.EDQUOT}


def is_full(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno in _FULL


def check_room(folder: Path) -> None:
    """Raises StorageFull if the folder's disk has no free space or no free inodes. The folder need not exist yet."""
    there = next(each for each in (folder, *folder.parents) if each.exists())
    disk = os.statvfs(there)
    free = disk.f_bavail * disk.f_frsize
    if free < LEAST_BYTES:
        raise StorageFull(f"The disk of {folder} is full: {free >> 10} KiB are free")
    if disk.f_files and not disk.f_favail:
        raise StorageFull(f"The disk of {folder} has no room for another file")


def check_reserve(folder: Path) -> None:
    """Raises StorageFull where work that can wait must leave the rest of the folder's disk to rows and metadata."""
    disk = os.statvfs(folder)
    free, size = disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
    if free < min(RESERVE_BYTES, RESERVE_SHARE * size):
        raise StorageFull(f"The server's disk is nearly full: {free >> 20} MiB are free, which are left to rows")


def check_write(folder: Path) -> None:
    """Write a file and remove it, since nothing else shows a quota. Raises StorageFull, or another OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(4096))
    except OSError as error:
        if is_full(error):
            raise StorageFull(f"The disk of {folder} is full: {error.strerror}") from error
        raise
