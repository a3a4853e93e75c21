"""Rows from files: chunk by chunk straight into the lake, each chunk exactly once.

A chunk's commit carries the file's identity as application transaction and the position after the chunk
as its version, so a run that was stopped goes on where the lake says the last one ended.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from airtally.accounts.accounts import Account
from airtally.ingest.admission import Admission
from airtally.ingest.decode import read_file
from airtally.ingest.loading import Load, Loading
from airtally.ingest.warehouse import Warehouse
from airtally.kit.ahead import read_ahead
from airtally.kit.clock import Clock
from airtally.streams.declaration import Stream

_READ = 1 << 20
_PLAIN_TEXT = {".ndjson", ".jsonl", ".csv"}

#: Called after each chunk with what was done so far.
Progress = Callable[["FileResult"], None]


@dataclass(slots=True)
class FileResult:
    """What became of a file. `position` counts bytes of unpacked text, or rows of Parquet and Arrow;
    `resumed_at` is the one an earlier run had reached; `size` is the last one, where it is known beforehand.
    """

    path: Path
    accepted: int = 0
    rejected: int = 0
    position: int = 0
    resumed_at: int = 0
    size: int | None = None


class FileIngest:
    """Loads files, one at a time and process; other processes may write the same stream meanwhile."""

    def __init__(self, *, admission: Admission, loading: Loading, warehouse: Warehouse, clock: Clock) -> None:
        self._admission = admission
        self._loading = loading
        self._warehouse = warehouse
        self._clock = clock

    def load(
        self, stream: Stream, account: Account, path: Path, *, again: bool = False, progress: Progress | None = None
    ) -> FileResult:
        """Load what is not loaded yet; `again` loads a whole file a second time, as new rows.

        Raises BadRequest where the file is not of its type, OSError where it cannot be read.
        """
        identity = file_identity(path, account)
        if again:
            identity += f":{self._clock.now_us()}"
        start = self._warehouse.committed(stream, identity) or 0
        result = FileResult(path, position=start, resumed_at=start, size=_known_size(path))
        for checked, position in read_ahead(read_file(stream, path, start=start)):
            allowed = self._admission.check(stream, account, checked)
            self._loading.append(Load(stream, account, identity, position, path.name), allowed)
            result.accepted += allowed.rows.num_rows
            result.rejected += len(allowed.errors)
            result.position = position
            if progress is not None:
                progress(result)
        return result


def _known_size(path: Path) -> int | None:
    return path.stat().st_size if path.suffix.lower() in _PLAIN_TEXT else None


def file_identity(path: Path, account: Account) -> str:
    """The same content for the same account is the same file, wherever it lies."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_READ):
            digest.update(block)
    return f"file:{account.slug}:{digest.hexdigest()}"
