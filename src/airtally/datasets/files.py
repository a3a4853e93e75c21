"""The published files of a dataset: listed by their publication time, found by their ids."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, ScalarSelect, UnaryExpression, func, select

from airtally.accounts.accounts import IS_OPEN
from airtally.database.rows import values_of
from airtally.database.store import MetadataStore, storable
from airtally.database.tables import accounts, dataset_files, datasets, publications
from airtally.datasets.dataset import Dataset
from airtally.datasets.stored import stored_name
from airtally.files.serve import ServedFile
from airtally.kit.clock import Clock
from airtally.kit.errors import Forbidden, NotFound
from airtally.kit.paging import Listed, Slice

MEDIA_TYPES: Mapping[str, str] = {
    "csv": "text/csv",
    "csv.gz": "application/gzip",
    "zip": "application/zip",
    "parquet": "application/vnd.apache.parquet",
}
_FILE = (
    *(dataset_files.c.file_id.label("id"), dataset_files.c.name, dataset_files.c.rows, dataset_files.c.bytes),
    *(dataset_files.c.sha256, dataset_files.c.report_date_begin, dataset_files.c.report_date_end),
    dataset_files.c.published_at,
)
#: Of no file: a time before all others.
_NO_STAMP = -1


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


@dataclass(frozen=True, slots=True)
class NumberedFile:
    """A file with its number in the metadata store, which increases with each file."""

    number: int
    file: DatasetFile


class DatasetFiles:
    """A file can be listed from its publication time on, until it is deleted.

    Thread-safe: it holds no state of its own and reads in transactions of the metadata store.
    """

    def __init__(self, store: MetadataStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def page(self, dataset: Dataset, start_us: int, end_us: int, part: Slice) -> Listed[DatasetFile]:
        """The files published from start to end, both included and never later than now, oldest first."""
        where = _listed(dataset, min(end_us, self._clock.now_us()), dataset_files.c.published_at >= start_us)
        order = (dataset_files.c.published_at, dataset_files.c.file_id)
        query = select(*_FILE).where(*where).order_by(*order).limit(part.limit).offset(part.offset)
        with self._store.read() as connection:
            total = connection.execute(select(func.count()).select_from(dataset_files).where(*where)).scalar_one()
            found = connection.execute(query)
            names, rows = tuple(found.keys()), found.all()
        return Listed([DatasetFile(**dict(zip(names, row, strict=True))) for row in rows], total)

    def newest(self, dataset: Dataset, *, before: int | None = None, limit: int = 100) -> list[NumberedFile]:
        """Those that can be listed now, the newest first, from the one before the number `before`."""
        older = () if before is None else (dataset_files.c.id < before,)
        where = _listed(dataset, self._clock.now_us(), *older)
        return self._numbered(*where, order=dataset_files.c.id.desc(), limit=limit)

    def last_number(self, dataset: Dataset) -> int:
        """The number of the dataset's newest file, also of one that cannot be listed yet; 0 without any."""
        query = select(func.max(dataset_files.c.id)).where(dataset_files.c.dataset_id == dataset.row_id)
        with self._store.read() as connection:
            return connection.execute(query).scalar_one() or 0

    def since(self, dataset: Dataset, number: int, *, limit: int = 1000) -> list[NumberedFile]:
        """Those after a number, also those that cannot be listed yet, oldest first."""
        where = dataset_files.c.dataset_id == dataset.row_id, dataset_files.c.id > number
        return self._numbered(*where, order=dataset_files.c.id.asc(), limit=limit)

    def _numbered(self, *where: ColumnElement[bool], order: UnaryExpression[int], limit: int) -> list[NumberedFile]:
        query = select(dataset_files.c.id.label("number"), *_FILE).where(*where).order_by(order).limit(limit)
        with self._store.read() as connection:
            rows = connection.execute(query).all()
        return [NumberedFile(row.number, DatasetFile(**values_of(row, _FILE))) for row in rows]

    def data_through(self, dataset: Dataset) -> int | None:
        """The moment up to which all rows are in files that can be listed; None while new files await their stamp."""
        coming = select(dataset_files.c.id).where(
            dataset_files.c.dataset_id == dataset.row_id, dataset_files.c.published_at > self._clock.now_us()
        )
        settled = publications.c.stamp.is_(None), ~coming.exists()
        slot = select(publications.c.slot_at).where(publications.c.dataset_id == dataset.row_id, *settled)
        with self._store.read() as connection:
            return connection.execute(slot).scalar_one_or_none()

    def find(self, file_id: str, permits: Callable[[int], bool]) -> tuple[DatasetFile, ServedFile]:
        """The file of that id in the dataset that the caller's link permits, told by the dataset's row id.

        Datasets of two accounts may have files of the same id. Raises NotFound for a file that is not there,
        Forbidden where no dataset is permitted.
        """
        found = select(
            *_FILE, dataset_files.c.deleted_at, dataset_files.c.dataset_id, datasets.c.format, accounts.c.slug
        )
        found = found.select_from(dataset_files.join(datasets).join(accounts))
        with self._store.read() as connection:
            rows = connection.execute(found.where(dataset_files.c.file_id == storable(file_id), IS_OPEN)).all()
        if not rows:
            raise NotFound("The specified key does not exist.")
        for row in rows:
            if permits(row.dataset_id):
                if row.deleted_at is not None:
                    raise NotFound("The specified key does not exist.")
                return _served_file(DatasetFile(**values_of(row, _FILE)), row.dataset_id, row.format, row.slug)
        raise Forbidden("Request has expired")


def _listed(dataset: Dataset, through_us: int, *where: ColumnElement[bool]) -> tuple[ColumnElement[bool], ...]:
    """Finds files that can be listed now, published by a moment that is not in the future."""
    return (
        dataset_files.c.dataset_id == dataset.row_id,
        dataset_files.c.published_at <= through_us,
        dataset_files.c.deleted_at.is_(None),
        dataset_files.c.published_at != func.coalesce(_unsettled(dataset), _NO_STAMP),
        *where,
    )


def _unsettled(dataset: Dataset) -> ScalarSelect[int | None]:
    """The stamp of files that may still get a new one: a client that lists now would see them twice."""
    return select(publications.c.stamp).where(publications.c.dataset_id == dataset.row_id).scalar_subquery()


def _served_file(file: DatasetFile, dataset_row_id: int, file_format: str, slug: str) -> tuple[DatasetFile, ServedFile]:
    stored = stored_name(slug, dataset_row_id, file.id)
    return file, ServedFile(stored, file.name, file.bytes, file.sha256, MEDIA_TYPES[file_format])
