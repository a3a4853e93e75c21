"""The file of a report under way: finished days one after the other, joined while later ones are rendered."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from airtally.files import gzip
from airtally.files.store import CHUNK_BYTES, storage_failures
from airtally.kit.durable import sync_file
from airtally.kit.errors import NotFound
from airtally.reports.parts import DayFile, Parts

#: What is written is synced when it has become so much, beside the rendering, rather than all of it at the end.
_SYNC_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class JoinedReport:
    """A finished file on local disk: one gzip member."""

    path: Path
    size: int
    sha256: str


class JoinedFile:
    """Joins the given days, in their order. The end of the `with` block removes the file unless it was moved away."""

    def __init__(self, parts: Parts, days: Sequence[date]) -> None:
        self._folder = parts.folder
        self._path = parts.new_whole()
        self._days = days
        self._joined: list[DayFile] = []
        self._size = self._synced = 0
        self._digest = hashlib.sha256()
        with storage_failures(self._path.name):
            self._file: IO[bytes] = self._path.open("wb")
        self._write(gzip.HEADER)

    def add(self, done: Mapping[date, DayFile]) -> None:
        """Append the finished days that come next, and let the disk take much of them at a time.

        Raises NotFound for a day whose file is gone, and StorageFull.
        """
        while len(self._joined) < len(self._days) and (part := done.get(self._days[len(self._joined)])) is not None:
            self._append(part)
            self._joined.append(part)
        if self._size - self._synced >= _SYNC_BYTES:
            with storage_failures(self._path.name):
                sync_file(self._file)
            self._synced = self._size

    def finish(self) -> JoinedReport:
        """All days have been added. Raises StorageFull."""
        self._write(gzip.trailer([part.packed for part in self._joined]))
        with storage_failures(self._path.name):
            self._file.close()
        return JoinedReport(self._path, self._size, self._digest.hexdigest())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            with storage_failures(self._path.name):
                self._file.close()
        finally:
            self._path.unlink(missing_ok=True)

    def _append(self, part: DayFile) -> None:
        with _open_day_file(self._folder / part.file) as file:
            while chunk := file.read(CHUNK_BYTES):
                self._write(chunk)

    def _write(self, data: bytes) -> None:
        self._digest.update(data)
        self._size += len(data)
        with storage_failures(self._path.name):
            self._file.write(data)


def _open_day_file(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise NotFound(f"The part {path.name} is gone") from None
