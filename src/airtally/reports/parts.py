"""Keeps finished days of a report under way on local disk, so that an interrupted build resumes."""

from __future__ import annotations

import secrets
import shutil
from datetime import date
from pathlib import Path

import msgspec

from airtally.files.gzip import Packed
from airtally.files.store import storage_failures
from airtally.kit.durable import write_file


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
        return self._new(str(day), "deflate")

    def new_whole(self) -> Path:
        """Such a name for all days together."""
        return self._new("whole", "gz")

    def note(self, part: DayFile) -> None:
        """Record that the day is done. Its file must have been fsynced."""
        draft = self.folder / f"{part.file}.json"
        with storage_failures(draft.name):
            write_file(self._note(part.day), msgspec.json.encode(part), draft=draft)

    def discard(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def _new(self, name: str, ending: str) -> Path:
        with storage_failures(self.folder.name):
            self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder / f"{name}-{secrets.token_hex(6)}.{ending}"

    def _note(self, day: date) -> Path:
        return self.folder / f"{day}.json"


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
