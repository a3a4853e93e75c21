"""Folders on local disk for parts that are being written, one for each export under way on this home."""

from __future__ import annotations

import shutil
from pathlib import Path

from airtally.files.store import storage_failures

_PREFIX = "export-"


def fresh_folder(staging: Path, export_id: int, attempt: int) -> Path:
    """An empty folder for one attempt; what earlier attempts left is removed."""
    discard(staging, export_id)
    folder = staging / f"{_PREFIX}{export_id}" / str(attempt)
    with storage_failures(folder.name):
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def discard(staging: Path, export_id: int) -> None:
    shutil.rmtree(staging / f"{_PREFIX}{export_id}", ignore_errors=True)


def left_over(staging: Path) -> list[int]:
    """Ids of exports that have a folder."""
    names = [path.name.removeprefix(_PREFIX) for path in staging.glob(f"{_PREFIX}*")]
    return [int(name) for name in names if name.isdigit()]
