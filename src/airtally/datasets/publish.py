"""One publication: the rows since the last one become files, noted with offsets and job in one transaction."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from airtally.datasets.files import DatasetFile
from airtally.datasets.publication_store import PublicationState, PublicationStore, Subject
from airtally.datasets.render import DatasetRenderer, RenderedFile, RenderedWindow
from airtally.datasets.stamps import FileNames, file_names, slot_of
from airtally.datasets.stored import folder_of, stored_name
from airtally.datasets.window import name_of, publication_window
from airtally.files.store import FileStore, storage_failures
from airtally.jobs.queue import Job
from airtally.kit import metrics
from airtally.kit.clock import Clock
from airtally.kit.faults import NO_FAULTS, Faults
from airtally.storage.lake.snapshot import Snapshot, SnapshotSource
from airtally.streams import STREAMS

_log = structlog.get_logger()

_DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Publication:
    """The files of one publication; none if there were no new rows."""

    subject: Subject
    files: tuple[DatasetFile, ...]


class Publisher:
    """Publishes a dataset whose job the caller holds. Thread-safe: it has no state of its own.

    A publication that is cut off leaves either all of its work, or at most stored objects that no file names. Those
    are removed before the next files are written, and not at once, since a commit that failed may have been done.
    """

    def __init__(
        self,
        publication_store: PublicationStore,
        source: SnapshotSource,
        renderer: DatasetRenderer,
        files: FileStore,
        clock: Clock,
        *,
        staging: Path,
        faults: Faults = NO_FAULTS,
    ) -> None:
        self.publication_store = publication_store
        self._source = source
        self._renderer = renderer
        self._files = files
        self._clock = clock
        self._staging = staging
        self._faults = faults

    def publish(self, subject: Subject, job: Job, check: Callable[[], None]) -> Publication:
        """Publish all rows that are in the lake. `check` raises if the lease is lost or the process ends. Raises LeaseLost."""
        dataset, publication_store = subject.dataset, self.publication_store
        self._faults.reach("dataset.publish")
        publication_store.settle(dataset)
        before = publication_store.state(dataset)
        slot = slot_of(self._clock.now_us(), publication_store.interval_us)
        snapshot = self._source.snapshot(STREAMS[dataset.stream], subject.account.slug, flushed=True)
        with self._staging_folder() as folder:
            wanted = publication_window(snapshot, dataset.business, before.offsets, before.consumed_files)
            rendered = self._renderer.render(wanted, dataset.format, folder)
            check()
            done = self._commit(subject, job, _next_state(before, slot, snapshot, rendered), rendered.files)
        publication_store.settle(dataset)
        _count_publication(done)
        return done

    def _commit(
        self, subject: Subject, job: Job, now: PublicationState, rendered: Sequence[RenderedFile]
    ) -> Publication:
        dataset = subject.dataset
        stamp = self.publication_store.stamp(dataset)
        files = [(file_names(dataset, stamp, number), each) for number, each in enumerate(rendered)]
        if files:
            self._sweep(subject)
        for names, each in files:
            self._files.take(self._stored(subject, names.id), each.path)
        self._faults.reach("dataset.commit")
        self.publication_store.commit(job, dataset, replace(now, stamp=stamp if files else None), files)
        self._faults.reach("dataset.settle")
        return Publication(subject, tuple(_dataset_file(names, each, stamp) for names, each in files))

    def _sweep(self, subject: Subject) -> None:
        """Remove the stored objects that a publication left when it was cut off."""
        folder = folder_of(subject.account.slug, subject.dataset.row_id)
        known = {f"{folder}/{file_id}" for file_id in self.publication_store.known(subject.dataset)}
        for name in self._files.names(folder):
            if name not in known:
                _log.info("removed a file that a cut-off publication left", file=name)
                self._files.delete(name)

    def tidy(self) -> None:
        """Remove staging folders that were not touched for a day."""
        for folder in self._staging.glob("publication-*"):
            if time.time() - folder.stat().st_mtime > _DAY_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)

    def expire(self, before_us: int) -> int:
        """Delete the files stamped before a moment; returns how many. Their rows stay in the lake, their offsets published."""
        gone = self.publication_store.expired(before_us)
        for subject, file_id in gone:
            self._files.delete(self._stored(subject, file_id))
            self.publication_store.note_deleted(subject.dataset, file_id)
        return len(gone)

    def _stored(self, subject: Subject, file_id: str) -> str:
        return stored_name(subject.account.slug, subject.dataset.row_id, file_id)

    @contextmanager
    def _staging_folder(self) -> Iterator[Path]:
        with storage_failures(self._staging.name):
            self._staging.mkdir(parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(prefix="publication-", dir=self._staging))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _next_state(before: PublicationState, slot: int, snapshot: Snapshot, rendered: RenderedWindow) -> PublicationState:
    consumed_files = frozenset(name_of(file) for file in snapshot.compacted + snapshot.uncompacted)
    return PublicationState(max(before.slot_at, slot), {**before.offsets, **rendered.offsets}, consumed_files, None)


def _dataset_file(names: FileNames, file: RenderedFile, stamp: int) -> DatasetFile:
    return DatasetFile(names.id, names.name, file.rows, file.bytes, file.sha256, file.date_begin, file.date_end, stamp)


def _count_publication(done: Publication) -> None:
    stream = done.subject.dataset.stream
    metrics.PUBLICATIONS.labels(stream).inc()
    metrics.DATASET_FILES.labels(stream).inc(len(done.files))
    metrics.DATASET_ROWS.labels(stream).inc(sum(file.rows for file in done.files))
    if done.files:
        dataset, rows = done.subject.dataset, sum(file.rows for file in done.files)
        _log.info("published", account=done.subject.account.slug, dataset=dataset.id, files=len(done.files), rows=rows)
