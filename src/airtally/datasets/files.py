"""The published files of a dataset: listings by publication time, and files by their links."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select

from airtally.database.store import MetadataStore
from airtally.database.tables import accounts, dataset_files, datasets, publications
from airtally.datasets.catalogue import Listed, Slice
from airtally.datasets.entries import Dataset, storable
from airtally.datasets.links import FileLinks, Link
from airtally.datasets.stored import stored_name
from airtally.files.serve import ServedFile
from airtally.kit.clock import Clock
from airtally.kit.errors import Forbidden, NotFound

MEDIA_TYPES: Mapping[str, str] = {
    "csv": "text/csv",
    "csv.gz": "application/gzip",
    "zip": "application/zip",
    "parquet": "application/vnd.apache.parquet",
}
_FILE = (
    *(dataset_files.c.file_id, dataset_files.c.name, dataset_files.c.rows, dataset_files.c.bytes),
    *(dataset_files.c.sha256, dataset_files.c.report_date_begin, dataset_files.c.report_date_end),
    dataset_files.c.published_at,
)


@dataclass(frozen=True, slots=True)
class DatasetFile:
    """`published_at`: a whole second, in microseconds UTC. The report dates are UTC days as text."""

    id: str
    name: str
    rows: int
    bytes: int
    sha256: str
    report_date_begin: str
    report_date_end: str
    published_at: int


class DatasetFiles:
    """A file can be listed from its publication time on, until it is deleted.

    Thread-safe: it holds no state of its own and reads in transactions of the metadata store.
    """

    def __init__(self, store: MetadataStore, clock: Clock, links: FileLinks) -> None:
        self._store = store
        self._clock = clock
        self._links = links

    def page(self, dataset: Dataset, start_us: int, end_us: int, part: Slice) -> Listed[DatasetFile]:
        """The files published from start to end, both included and never later than now, oldest first."""
        where = (
            dataset_files.c.dataset_id == dataset.row_id,
            dataset_files.c.published_at.between(start_us, min(end_us, self._clock.now_us())),
            dataset_files.c.deleted_at.is_(None),
            ~_unsettled(dataset, dataset_files.c.published_at).exists(),
        )
        order = (dataset_files.c.published_at, dataset_files.c.file_id)
        query = select(*_FILE).where(*where).order_by(*order).limit(part.limit).offset(part.offset)
        with self._store.read() as connection:
            total = connection.execute(select(func.count()).select_from(dataset_files).where(*where)).scalar_one()
            return Listed([DatasetFile(*row) for row in connection.execute(query)], total)

    def data_through(self, dataset: Dataset) -> int | None:
        """The moment up to which all rows are in files that can be listed; None while new files await their stamp."""
        coming = select(dataset_files.c.id).where(
            dataset_files.c.dataset_id == dataset.row_id, dataset_files.c.published_at > self._clock.now_us()
        )
        settled = publications.c.stamp.is_(None), ~coming.exists()
        slot = select(publications.c.slot_at).where(publications.c.dataset_id == dataset.row_id, *settled)
        with self._store.read() as connection:
            return connection.execute(slot).scalar_one_or_none()

    def link(self, dataset: Dataset, file: DatasetFile) -> Link:
        """A fresh link to the file."""
        return self._links.link(dataset.row_id, file.id, self._clock.now_us())

    def by_link(self, file_id: str, query: Mapping[str, str]) -> tuple[DatasetFile, ServedFile]:
        """The file that a link leads to.

        Raises NotFound if the file does not exist, and Forbidden for a link that is expired or was not made here.
        """
        found = select(*_FILE, dataset_files.c.deleted_at, datasets.c.id, datasets.c.format, accounts.c.slug)
        found = found.select_from(dataset_files.join(datasets).join(accounts))
        with self._store.read() as connection:
            rows = connection.execute(found.where(dataset_files.c.file_id == storable(file_id))).all()
        if not rows:
            raise NotFound("The specified key does not exist.")
        now = self._clock.now_us()
        for *columns, deleted_at, row_id, file_format, slug in rows:
            if self._links.is_valid(row_id, file_id, query, now):
                if deleted_at is not None:
                    raise NotFound("The specified key does not exist.")
                return _served_file(DatasetFile(*columns), row_id, file_format, slug)
        raise Forbidden("Request has expired")


def _unsettled(dataset: Dataset, stamp: ColumnElement[int]) -> Select[Any]:
    """Finds files that may still get a new stamp: a client that lists now would see them twice."""
    mine = publications.c.dataset_id == dataset.row_id, publications.c.stamp == stamp
    return select(publications.c.dataset_id).where(*mine)


def _served_file(file: DatasetFile, dataset_row_id: int, file_format: str, slug: str) -> tuple[DatasetFile, ServedFile]:
    stored = stored_name(slug, dataset_row_id, file.id)
    return file, ServedFile(stored, file.name, file.bytes, file.sha256, MEDIA_TYPES[file_format])
