"""One publication: the rows since the last one become files; files, marks and job in one transaction."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from airtally.datasets.files import DatasetFile
from airtally.datasets.publication_store import PublicationStore, Published, Subject
from airtally.datasets.render import DatasetRenderer, Rendered, RenderedFile
from airtally.datasets.stamps import Named, named, turn_of
from airtally.datasets.stored import folder_of, stored_name
from airtally.datasets.window import name_of, window
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
    """What came of a turn; no files where nothing was new."""

    subject: Subject
    files: tuple[DatasetFile, ...]


class Publisher:
    """Publishes a dataset whose job the caller holds. Every row received before the caller's wait is in.

    Whatever ends it, and wherever, leaves either everything or nothing but stored objects that no file names;
    these are removed when the next files are written, for a commit that failed may have been done.
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
        """`check` raises where the job is lost or the process ends. Raises LeaseLost too."""
        dataset, publication_store = subject.dataset, self.publication_store
        self._faults.reach("dataset.publish")
        publication_store.settle(dataset)
        before = publication_store.published(dataset)
        turn = turn_of(self._clock.now_us(), publication_store.interval_us)
        snapshot = self._source.snapshot(STREAMS[dataset.stream], subject.account.slug, flushed=True)
        with self._workplace() as folder:
            wanted = window(snapshot, dataset.business, before.marks, before.covered)
            rendered = self._renderer.render(wanted, dataset.format, folder)
            check()
            done = self._commit(subject, job, _after(before, turn, snapshot, rendered), rendered.files)
        publication_store.settle(dataset)
        _count(done)
        return done

    def _commit(self, subject: Subject, job: Job, now: Published, made: Sequence[RenderedFile]) -> Publication:
        dataset = subject.dataset
        stamp = self.publication_store.stamp(dataset)
        files = [(named(dataset, stamp, part), each) for part, each in enumerate(made)]
        if files:
            self._sweep(subject)
        for name, each in files:
            self._files.take(self._stored(subject, name.id), each.path)
        self._faults.reach("dataset.commit")
        self.publication_store.commit(job, dataset, _stamped(now, stamp if files else None), files)
        self._faults.reach("dataset.settle")
        return Publication(subject, tuple(_file(name, each, stamp) for name, each in files))

    def _sweep(self, subject: Subject) -> None:
        """Remove what a publication that was cut off has left."""
        folder = folder_of(subject.account.slug, subject.dataset.row_id)
        known = {f"{folder}/{file_id}" for file_id in self.publication_store.known(subject.dataset)}
        for name in self._files.names(folder):
            if name not in known:
                _log.info("left over by a publication that was cut off", file=name)
                self._files.delete(name)

    def tidy(self) -> None:
        """Remove workplaces that nobody has worked at for a day."""
        for folder in self._staging.glob("publication-*"):
            if time.time() - folder.stat().st_mtime > _DAY_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)

    def expire(self, before_us: int) -> int:
        """Delete the files stamped before a moment; their rows stay in the lake and in the books."""
        gone = self.publication_store.expired(before_us)
        for subject, file_id in gone:
            self._files.delete(self._stored(subject, file_id))
            self.publication_store.note_deleted(subject.dataset, file_id)
        return len(gone)

    def _stored(self, subject: Subject, file_id: str) -> str:
        return stored_name(subject.account.slug, subject.dataset.row_id, file_id)

    @contextmanager
    def _workplace(self) -> Iterator[Path]:
        with storage_failures(self._staging.name):
            self._staging.mkdir(parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(prefix="publication-", dir=self._staging))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _after(before: Published, turn: int, snapshot: Snapshot, rendered: Rendered) -> Published:
    covered = frozenset(name_of(file) for file in snapshot.compacted + snapshot.uncompacted)
    return Published(max(before.turn_at, turn), {**before.marks, **rendered.marks}, covered, None)


def _stamped(now: Published, stamp: int | None) -> Published:
    return Published(now.turn_at, now.marks, now.covered, stamp)


def _file(name: Named, made: RenderedFile, stamp: int) -> DatasetFile:
    return DatasetFile(name.id, name.name, made.rows, made.bytes, made.sha256, made.date_begin, made.date_end, stamp)


def _count(done: Publication) -> None:
    stream = done.subject.dataset.stream
    metrics.PUBLICATIONS.labels(stream).inc()
    metrics.DATASET_FILES.labels(stream).inc(len(done.files))
    metrics.DATASET_ROWS.labels(stream).inc(sum(file.rows for file in done.files))
    if done.files:
        dataset, rows = done.subject.dataset, sum(file.rows for file in done.files)
        _log.info("published", account=done.subject.account.slug, dataset=dataset.id, files=len(done.files), rows=rows)
