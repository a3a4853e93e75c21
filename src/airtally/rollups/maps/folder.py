"""The folder of the maps, laid out as the segments are, and how much its files may take up together."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from airtally.rollups.maps.columns import SegmentColumns
from airtally.rollups.maps.file import DRAFT, read_map, write_map

_SUFFIX = ".arrow"
#: A draft that nobody has written to for so long was left by a process that died.
_DRAFT_SECONDS = 3600.0
#: What a file takes up beside its columns, at most.
_ABOUT_BYTES = 4096


class MapFolder:
    """Files of at most `most_bytes` together; a new one takes the place of those that were not opened for longest.

    Names are those of the segments. Several processes may use it at once; what the others have written since this one
    looked last may exceed the limit. One thread at a time may write.
    """

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder, self._most_bytes = folder, most_bytes
        self._taken: int | None = None

    def has(self, name: str) -> bool:
        return self._path(name).exists()

    def read(self, name: str) -> SegmentColumns:
        """Raises FileNotFoundError, and MapUnusable."""
        path = self._path(name)
        columns = read_map(path)
        with suppress(FileNotFoundError):
            os.utime(path)
        return columns

    def write(self, name: str, columns: SegmentColumns) -> None:
        """Raises OSError, also where it is larger than all files may be together."""
        size = columns.nbytes + _ABOUT_BYTES
        if size > self._most_bytes:
            raise OSError(f"it takes {size} bytes, all maps may take {self._most_bytes} (AIRTALLY_MAPS)")
        if self._taken is None or self._taken + size > self._most_bytes:
            self._taken = self._make_room(size)
        self._taken += write_map(self._path(name), columns)

    def remove(self, name: str) -> None:
        """Remove a map and the folders that are empty then."""
        path = self._path(name)
        with suppress(FileNotFoundError):
            path.unlink()
        for parent in path.parents:
            if parent == self._folder or not _removed_folder(parent):
                return

    def names(self) -> set[str]:
        return {name for name, _, _ in self._files()}

    def remove_drafts(self) -> None:
        """Those that were left behind."""
        before = time.time() - _DRAFT_SECONDS
        for folder, _, names in os.walk(self._folder):
            for path in (Path(folder, name) for name in names if name.endswith(DRAFT)):
                with suppress(FileNotFoundError):
                    if path.stat().st_mtime < before:
                        path.unlink()

    def _make_room(self, size: int) -> int:
        """Remove what was used longest ago, until `size` bytes more have room; returns the bytes that are left."""
        files = sorted(self._files(), key=lambda each: each[2])
        left = sum(taken for _, taken, _ in files)
        for name, taken, _ in files:
            if left + size <= self._most_bytes:
                break
            self.remove(name)
            left -= taken
        return left

    def _files(self) -> list[tuple[str, int, float]]:
        """Name, size and last use of each map."""
        found = []
        for folder, _, names in os.walk(self._folder):
            for path in (Path(folder, name) for name in names if name.endswith(_SUFFIX)):
                with suppress(FileNotFoundError):
                    stat = path.stat()
                    name = str(path.relative_to(self._folder)).removesuffix(_SUFFIX)
                    found.append((name, stat.st_size, stat.st_mtime))
        return found

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}{_SUFFIX}"


def _removed_folder(folder: Path) -> bool:
    try:
        folder.rmdir()
    except OSError:
        return False
    return True
