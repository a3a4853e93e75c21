"""Publications in the metadata store: slots, offsets, files, and the one job of each dataset, which never ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import msgspec
from sqlalchemy import Connection, Select, func, insert, or_, select, update

from airtally.accounts.accounts import ACCOUNT_COLUMNS, Account
from airtally.database.store import MetadataStore
from airtally.database.tables import accounts, dataset_files, datasets, jobs, publications, slate_businesses
from airtally.datasets.dataset import DATASET_COLUMNS, Dataset, dataset_of
from airtally.datasets.render import RenderedFile
from airtally.datasets.stamps import FileNames, file_names, first_stamp, slot_of
from airtally.jobs.interrupt import AfterChange, put_job_off
from airtally.jobs.queue import Job, Jobs
from airtally.jobs.states import JobState
from airtally.kit.clock import Clock
from airtally.kit.errors import Conflict
from airtally.kit.time import SECOND_US

JOB_KIND = "publication"


@dataclass(frozen=True, slots=True)
class Subject:
    """A dataset and its account."""

    account: Account
    dataset: Dataset


@dataclass(frozen=True, slots=True)
class PublicationState:
    """How far a dataset is published.

    `slot_at` is the last published slot, in microseconds UTC. `offsets` are the last published sequences by writer,
    `consumed_files` the names of lake files whose rows are all published. `stamp` is of files that are not settled yet.
    """

    slot_at: int
    offsets: Mapping[str, int]
    consumed_files: frozenset[str]
    stamp: int | None


@dataclass(frozen=True, slots=True)
class LatePublication:
    """A dataset whose slot `due_at` (microseconds UTC) is not published."""

    subject: Subject
    due_at: int

    @property
    def slot(self) -> tuple[int, int]:
        return self.subject.dataset.row_id, self.due_at


_SUBJECTS = (
    select(*ACCOUNT_COLUMNS, *DATASET_COLUMNS)
    .select_from(datasets)
    .join(slate_businesses, slate_businesses.c.id == datasets.c.slate_business_id)
    .join(accounts, accounts.c.id == datasets.c.account_id)
    .order_by(datasets.c.id)
)


class PublicationStore:
    """Slots are multiples of `interval` seconds since 1970-01-01 UTC.

    Thread-safe: it holds no state of its own, and each change is one transaction of the metadata store.
    """

    job_kinds: ClassVar[tuple[str, ...]] = (JOB_KIND,)

    def __init__(self, store: MetadataStore, clock: Clock, jobs: Jobs, interval: float) -> None:
        self._store = store
        self._clock = clock
        self._jobs = jobs
        self.interval_us = round(interval * SECOND_US)

    def enrol(self) -> None:
        """Add the jobs of new datasets, and move jobs to the next slot if the interval was shortened."""
        now = self._clock.now_us()
        slot = slot_of(now, self.interval_us)
        due = slot + self.interval_us
        missing = select(datasets.c.id, datasets.c.account_id, datasets.c.created_at).where(
            datasets.c.id.not_in(select(publications.c.dataset_id))
        )
        early = (jobs.c.kind == JOB_KIND, jobs.c.state == JobState.READY, jobs.c.run_at > due)
        with self._store.read() as connection:
            new = connection.execute(missing).all()
            off = connection.execute(select(jobs.c.id).where(*early).limit(1)).first()
        if not new and off is None:
            return
        with self._store.begin() as connection:
            for row in new:
                self._add(connection, row, slot)
            connection.execute(update(jobs).where(*early).values(run_at=due))

    def _add(self, connection: Connection, row: Any, slot: int) -> None:
        """Add a dataset's state and job. Of two processes, the one that inserts the state adds the job."""
        begun = min(slot, slot_of(row.created_at, self.interval_us))
        values = {
            "dataset_id": row.id,
            "slot_at": begun,
            "offsets": "{}",
            "consumed_files": "[]",
            "updated_at": self._clock.now_us(),
        }
        added = self._store.upserts.insert(publications).values(values).on_conflict_do_nothing()
        if connection.execute(added.returning(publications.c.dataset_id)).first() is not None:
            self._jobs.add(connection, JOB_KIND, str(row.id), row.account_id, begun + self.interval_us)

    def subjects(self, account: Account | None = None) -> list[Subject]:
        """All datasets, or those of an account, oldest first."""
        query = _SUBJECTS if account is None else _SUBJECTS.where(datasets.c.account_id == account.id)
        return self._subjects(query)

    def numbered(self, row_id: int) -> Subject | None:
        """The dataset with that number in the metadata store."""
        found = self._subjects(_SUBJECTS.where(datasets.c.id == row_id))
        return found[0] if found else None

    def of_job(self, job: Job) -> Subject:
        return self._subjects(_SUBJECTS.where(datasets.c.id == int(job.subject)))[0]

    def state(self, dataset: Dataset) -> PublicationState:
        query = select(publications).where(publications.c.dataset_id == dataset.row_id)
        with self._store.read() as connection:
            row = connection.execute(query).one()
        return PublicationState(
            row.slot_at,
            msgspec.json.decode(row.offsets, type=dict[str, int]),
            frozenset(msgspec.json.decode(row.consumed_files, type=list[str])),
            row.stamp,
        )

    def stamp(self, dataset: Dataset) -> int:
        """The stamp of the next files: later than now, and than all stamps before."""
        query = select(func.max(dataset_files.c.published_at)).where(dataset_files.c.dataset_id == dataset.row_id)
        with self._store.read() as connection:
            last = connection.execute(query).scalar_one()
        return first_stamp(self._clock.now_us(), last or 0)

    def commit(
        self, job: Job, dataset: Dataset, now: PublicationState, files: Sequence[tuple[FileNames, RenderedFile]]
    ) -> None:
        """Note files and state and end the attempt of the job, in one transaction. Raises LeaseLost."""
        at = self._clock.now_us()
        with self._store.begin() as connection:
            if files:
                connection.execute(insert(dataset_files), [_file_row(dataset, now, each) for each in files])
            state = {
                "slot_at": now.slot_at,
                "offsets": msgspec.json.encode(now.offsets).decode(),
                "consumed_files": msgspec.json.encode(sorted(now.consumed_files)).decode(),
                "stamp": now.stamp,
                "updated_at": at,
            }
            connection.execute(update(publications).where(publications.c.dataset_id == dataset.row_id).values(**state))
            self._jobs.again(connection, job, now.slot_at + self.interval_us)

    def cancel_within(self, connection: Connection, job: Job, reason: str) -> AfterChange:
        """End the publication that is under way; its rows come with that of the next slot. Raises Conflict."""
        now = self._clock.now_us()
        due = slot_of(now, self.interval_us) + self.interval_us
        put_job_off(connection, job, due, f"{reason}; its rows come with the next publication", now)
        return lambda: None

    def begin_anew_within(self, connection: Connection, job: Job) -> AfterChange:  # noqa: ARG002 (a `JobSubject`)
        """Raises Conflict: a dataset's job never ends."""
        raise Conflict(
            f"Job {job.id} of a dataset never ends", hint="`airtally dataset publish` publishes without waiting"
        )

    def unsettled(self) -> list[Subject]:
        """Datasets whose last files are not known to have been committed before their stamp."""
        stamped = select(publications.c.dataset_id).where(publications.c.stamp.is_not(None))
        return self._subjects(_SUBJECTS.where(datasets.c.id.in_(stamped)))

    def settle(self, dataset: Dataset) -> None:
        """Give the last files a new stamp if their commit ended after it: a listing read in between lacks them.

        Their ids stay. Of two processes that settle at once, one changes the stamp.
        """
        while (stamp := self.state(dataset).stamp) is not None:
            in_time = self._clock.now_us() < stamp
            new = None if in_time else self.stamp(dataset)
            with self._store.begin() as connection:
                mine = update(publications).where(
                    publications.c.dataset_id == dataset.row_id, publications.c.stamp == stamp
                )
                if connection.execute(mine.values(stamp=new)).rowcount and new is not None:
                    _restamp(connection, dataset, stamp, new)

    def late(self, before_us: int, account: Account | None = None) -> list[LatePublication]:
        """Datasets, all or those of an account, with an unpublished slot before a moment."""
        slots = select(publications.c.dataset_id, publications.c.slot_at)
        with self._store.read() as connection:
            rows = connection.execute(slots.where(publications.c.slot_at <= before_us - self.interval_us)).all()
        due = {row.dataset_id: row.slot_at + self.interval_us for row in rows}
        found = self.subjects(account) if due else []
        return [LatePublication(each, due[each.dataset.row_id]) for each in found if each.dataset.row_id in due]

    def note_notice(self, late: LatePublication) -> bool:
        """Note that people are told of a late slot; False if that was noted before."""
        dataset_id, due_at = late.slot
        untold = or_(publications.c.noticed_at.is_(None), publications.c.noticed_at < due_at)
        mine = update(publications).where(publications.c.dataset_id == dataset_id, untold)
        with self._store.begin() as connection:
            return bool(connection.execute(mine.values(noticed_at=self._clock.now_us())).rowcount)

    def known(self, dataset: Dataset) -> set[str]:
        """The ids of the files that are not deleted."""
        query = select(dataset_files.c.file_id).where(
            dataset_files.c.dataset_id == dataset.row_id, dataset_files.c.deleted_at.is_(None)
        )
        with self._store.read() as connection:
            return set(connection.execute(query).scalars())

    def expired(self, before_us: int, at_most: int = 500) -> list[tuple[Subject, str]]:
        """The datasets and ids of files stamped before a moment and not deleted yet."""
        query = select(dataset_files.c.dataset_id, dataset_files.c.file_id).where(
            dataset_files.c.published_at < before_us, dataset_files.c.deleted_at.is_(None)
        )
        with self._store.read() as connection:
            rows = connection.execute(query.limit(at_most)).all()
        owners = {each.dataset.row_id: each for each in self.subjects()} if rows else {}
        return [(owners[row.dataset_id], row.file_id) for row in rows]

    def note_deleted(self, dataset: Dataset, file_id: str) -> None:
        gone = update(dataset_files).where(
            dataset_files.c.dataset_id == dataset.row_id, dataset_files.c.file_id == file_id
        )
        with self._store.begin() as connection:
            connection.execute(gone.values(deleted_at=self._clock.now_us()))

    def _subjects(self, query: Select[Any]) -> list[Subject]:
        with self._store.read() as connection:
            return [Subject(Account.from_row(row), dataset_of(row)) for row in connection.execute(query)]


def _file_row(dataset: Dataset, now: PublicationState, file: tuple[FileNames, RenderedFile]) -> dict[str, Any]:
    names, rendered = file
    return {
        "dataset_id": dataset.row_id,
        "file_id": names.id,
        "name": names.name,
        "rows": rendered.rows,
        "bytes": rendered.bytes,
        "sha256": rendered.sha256,
        "report_date_begin": rendered.date_begin,
        "report_date_end": rendered.date_end,
        "published_at": now.stamp,
    }


def _restamp(connection: Connection, dataset: Dataset, stamp: int, new: int) -> None:
    of_stamp = (dataset_files.c.dataset_id == dataset.row_id, dataset_files.c.published_at == stamp)
    query = select(dataset_files.c.id).where(*of_stamp).order_by(dataset_files.c.id)
    for number, row_id in enumerate(connection.execute(query).scalars().all()):
        values = {"published_at": new, "name": file_names(dataset, new, number).name}
        connection.execute(update(dataset_files).where(dataset_files.c.id == row_id).values(**values))
