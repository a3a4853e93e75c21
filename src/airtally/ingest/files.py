"""Rows from files: chunk by chunk straight into the lake, each chunk exactly once.

A chunk's commit carries the file's identity as application transaction and the position after the chunk
as its version, so a run that was stopped goes on where the lake says the last one ended.
"""

from __future__ import annotations

import hashlib
import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from airtally.accounts.accounts import Account
from airtally.ingest.decode import Checked, read_file
from airtally.ingest.quarantine import Quarantine
from airtally.ingest.service import Ingest
from airtally.ingest.versions import Versions
from airtally.ingest.warehouse import Warehouse
from airtally.kit import metrics
from airtally.kit.clock import Clock
from airtally.streams.declaration import Stream

_READ = 1 << 20

#: Called after each chunk with the rows accepted and rejected so far and the position reached.
Progress = Callable[["FileResult"], None]


@dataclass(slots=True)
class FileResult:
    """What became of a file; `resumed_at` is the position an earlier run had reached."""

    path: Path
    accepted: int = 0
    rejected: int = 0
    position: int = 0
    resumed_at: int = 0


class FileIngest:
    """Loads files. One file at a time and process; other processes may write the same stream meanwhile."""

    def __init__(
        self, *, ingest: Ingest, warehouse: Warehouse, quarantine: Quarantine, versions: Versions, clock: Clock
    ) -> None:
        self._ingest = ingest
        self._warehouse = warehouse
        self._quarantine = quarantine
        self._versions = versions
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
        result = FileResult(path, position=start, resumed_at=start)
        for checked, position in _read_ahead(read_file(stream, path, start=start)):
            self._append(stream, account, identity, self._ingest.check(stream, account, checked), position, path)
            result.accepted += checked.rows.num_rows
            result.rejected += len(checked.errors)
            result.position = position
            if progress is not None:
                progress(result)
        return result

    def _append(
        self, stream: Stream, account: Account, identity: str, checked: Checked, position: int, path: Path
    ) -> None:
        self._quarantine.keep(
            account, stream.name, checked.errors, source=path.name, source_key=f"{identity}:{position}"
        )
        with self._versions.resolved(stream, account, checked.rows, self._clock.now_us()) as rows:
            if rows.num_rows:
                self._warehouse.append_file_rows(stream, account.slug, rows, identity, position)
        metrics.ROWS_ACCEPTED.labels(stream.name).inc(checked.rows.num_rows)


def file_identity(path: Path, account: Account) -> str:
    """The same content for the same account is the same file, wherever it lies."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_READ):
            digest.update(block)
    return f"file:{account.slug}:{digest.hexdigest()}"


def _read_ahead(chunks: Iterator[tuple[Checked, int]]) -> Iterator[tuple[Checked, int]]:
    """Decode the next chunk while the last one is written."""
    ready: queue.Queue[tuple[Checked, int] | BaseException | None] = queue.Queue(maxsize=1)
    stopped = threading.Event()

    def put(item: tuple[Checked, int] | BaseException | None) -> None:
        while not stopped.is_set():
            try:
                ready.put(item, timeout=0.1)
            except queue.Full:
                continue
            return

    def read() -> None:
        try:
            for chunk in chunks:
                put(chunk)
                if stopped.is_set():
                    return
        except BaseException as error:  # noqa: BLE001 (raised again on the other thread)
            put(error)
        put(None)

    thread = threading.Thread(target=read, name="airtally-read-ahead", daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
        thread.join()
