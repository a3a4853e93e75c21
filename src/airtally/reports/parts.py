"""Keeps finished days of a report under way on local disk, so that an interrupted build resumes."""

from __future__ import annotations

import hashlib
import secrets
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import IO

import msgspec

from airtally.files import gzip
from airtally.files.gzip import Packed
from airtally.files.store import CHUNK_BYTES, storage_failures
from airtally.kit.durable import write_file
from airtally.kit.errors import NotFound


class DayFile(msgspec.Struct, frozen=True):
    """One day's compressed lines. `data_through` in microseconds UTC: all rows received by then are in."""

    day: date
    file: str
    rows: int
    data_through: int
    packed: Packed


class Parts:
    """The finished days of one report, in a folder of its own. What `note` recorded survives a power loss."""

    def __init__(self, staging: Path, report_id: int, beginning: int = 0) -> None:
        """`beginning`: which days belong together; a report that is begun anew has no day of before."""
        self.folder = staging / f"report-{report_id}.{beginning}"

    def find(self, day: date) -> DayFile | None:
        """The finished file of a day, None if it is missing or incomplete."""
        try:
            part = msgspec.json.decode(self._note(day).read_bytes(), type=DayFile)
            whole = (self.folder / part.file).stat().st_size == part.packed.packed_bytes
        except (FileNotFoundError, msgspec.DecodeError):
            return None
        return part if whole else None

    def new_file(self, day: date) -> Path:
        """A new name that no other worker uses, in case two believe that they hold the job."""
        with storage_failures(self.folder.name):
            self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder / f"{day}-{secrets.token_hex(6)}.deflate"

    def note(self, part: DayFile) -> None:
        """Record that the day is done. Its file must have been fsynced."""
        draft = self.folder / f"{part.file}.json"
        with storage_failures(draft.name):
            write_file(self._note(part.day), msgspec.json.encode(part), draft=draft)

    def discard(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def _note(self, day: date) -> Path:
        return self.folder / f"{day}.json"


@dataclass
class Assembly:
    """Streams the whole file in chunks; `size` and `sha256` are set once all chunks were read."""

    parts: Sequence[DayFile]
    folder: Path
    size: int = 0
    sha256: str = ""

    def chunks(self) -> Iterator[bytes]:
        digest = hashlib.sha256()
        for chunk in self._chunks():
            digest.update(chunk)
            self.size += len(chunk)
            yield chunk
        self.sha256 = digest.hexdigest()

    def _chunks(self) -> Iterator[bytes]:
        yield gzip.HEADER
        for part in self.parts:
            with _open_day_file(self.folder / part.file) as file:
                while chunk := file.read(CHUNK_BYTES):
                    yield chunk
        yield gzip.trailer([part.packed for part in self.parts])


def left_over(staging: Path) -> list[int]:
    """Ids of reports that have finished days in the folder."""
    if not staging.is_dir():
        return []
    names = {path.name.removeprefix("report-").partition(".")[0] for path in staging.glob("report-*")}
    return [int(name) for name in sorted(names) if name.isdigit()]


def discard_parts(staging: Path, report_id: int) -> None:
    """Remove all days of a report, of every beginning; also those of releases before 0.3, which had one folder."""
    for folder in (staging / f"report-{report_id}", *staging.glob(f"report-{report_id}.*")):
        shutil.rmtree(folder, ignore_errors=True)


def _open_day_file(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise NotFound(f"The part {path.name} is gone") from None
