"""What the metadata store knows of publications: turns, marks, files, and the job that each dataset has for ever."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, func, insert, or_, select, update

from airtally.accounts.accounts import ACCOUNT_COLUMNS, Account
from airtally.database.store import MetadataStore
from airtally.database.tables import accounts, dataset_files, datasets, jobs, publications, slate_businesses
from airtally.datasets.dataset import DATASET_COLUMNS, Dataset, dataset_of
from airtally.datasets.render import RenderedFile
from airtally.datasets.stamps import Named, first_stamp, named, turn_of
from airtally.jobs.queue import Job, Jobs
from airtally.jobs.states import JobState
from airtally.kit.clock import Clock
from airtally.kit.time import SECOND_US

JOB_KIND = "publication"


@dataclass(frozen=True, slots=True)
class Subject:
    """A dataset and whose it is."""

    account: Account
    dataset: Dataset


@dataclass(frozen=True, slots=True)
class Published:
    """How far a dataset is. `marks` and `covered` are as in `window`; `stamp` is that of files still to be settled."""

    turn_at: int
    marks: Mapping[str, int]
    covered: frozenset[str]
    stamp: int | None


@dataclass(frozen=True, slots=True)
class Late:
    """The turn `due_at` of a dataset is not published."""

    subject: Subject
    due_at: int

    @property
    def turn(self) -> tuple[int, int]:
        return self.subject.dataset.row_id, self.due_at


_SUBJECTS = (
    select(*ACCOUNT_COLUMNS, *DATASET_COLUMNS)
    .select_from(datasets)
    .join(slate_businesses, slate_businesses.c.id == datasets.c.slate_business_id)
    .join(accounts, accounts.c.id == datasets.c.account_id)
    .order_by(datasets.c.id)
)


class PublicationStore:
    """Thread-safe. Turns fall on multiples of `interval` seconds since 1970-01-01 UTC."""

    def __init__(self, store: MetadataStore, clock: Clock, jobs: Jobs, interval: float) -> None:
        self._store = store
        self._clock = clock
        self._jobs = jobs
        self.interval_us = round(interval * SECOND_US)

    def enrol(self) -> None:
        """A job for each dataset that has none; no job later than the next turn, should the interval have changed."""
        now = self._clock.now_us()
        turn, due = turn_of(now, self.interval_us), turn_of(now, self.interval_us) + self.interval_us
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
                self._add(connection, row, turn)
            connection.execute(update(jobs).where(*early).values(run_at=due))

    def _add(self, connection: Connection, row: Any, turn: int) -> None:
        """Another process may be as quick: the row of the publications decides."""
        begun = min(turn, turn_of(row.created_at, self.interval_us))
        values = {
            "dataset_id": row.id,
            "turn_at": begun,
            "marks": "{}",
            "covered": "[]",
            "updated_at": self._clock.now_us(),
        }
        added = self._store.upserts.insert(publications).values(values).on_conflict_do_nothing()
        if connection.execute(added.returning(publications.c.dataset_id)).first() is not None:
            self._jobs.add(connection, JOB_KIND, str(row.id), row.account_id, begun + self.interval_us)

    def subjects(self, account: Account | None = None) -> list[Subject]:
        """All datasets, or those of an account, in the order they were made."""
        query = _SUBJECTS if account is None else _SUBJECTS.where(datasets.c.account_id == account.id)
        return self._subjects(query)

    def of_job(self, job: Job) -> Subject:
        return self._subjects(_SUBJECTS.where(datasets.c.id == int(job.subject)))[0]

    def published(self, dataset: Dataset) -> Published:
        query = select(publications).where(publications.c.dataset_id == dataset.row_id)
        with self._store.read() as connection:
            row = connection.execute(query).one()
        return Published(
            row.turn_at,
            msgspec.json.decode(row.marks, type=dict[str, int]),
            frozenset(msgspec.json.decode(row.covered, type=list[str])),
            row.stamp,
        )

    def stamp(self, dataset: Dataset) -> int:
        """For the next files: above the moment, and above all stamps before."""
        query = select(func.max(dataset_files.c.published_at)).where(dataset_files.c.dataset_id == dataset.row_id)
        with self._store.read() as connection:
            last = connection.execute(query).scalar_one()
        return first_stamp(self._clock.now_us(), last or 0)

    def commit(self, job: Job, dataset: Dataset, now: Published, files: Sequence[tuple[Named, RenderedFile]]) -> None:
        """Files, marks and the end of the job: all, or nothing. Raises LeaseLost."""
        at = self._clock.now_us()
        with self._store.begin() as connection:
            if files:
                connection.execute(insert(dataset_files), [_row(dataset, now, each) for each in files])
            state = {
                "turn_at": now.turn_at,
                "marks": msgspec.json.encode(now.marks).decode(),
                "covered": msgspec.json.encode(sorted(now.covered)).decode(),
                "stamp": now.stamp,
                "updated_at": at,
            }
            connection.execute(update(publications).where(publications.c.dataset_id == dataset.row_id).values(**state))
            self._jobs.again(connection, job, now.turn_at + self.interval_us)

    def unsettled(self) -> list[Subject]:
        """Datasets whose last files nobody has seen to be committed before their stamp."""
        stamped = select(publications.c.dataset_id).where(publications.c.stamp.is_not(None))
        return self._subjects(_SUBJECTS.where(datasets.c.id.in_(stamped)))

    def settle(self, dataset: Dataset) -> None:
        """Where the last files' commit ended after their stamp, a window that was read may lack them: stamp them anew.

        Their ids stay. Two that settle at once do it once.
        """
        while (stamp := self.published(dataset).stamp) is not None:
            in_time = self._clock.now_us() < stamp
            new = None if in_time else self.stamp(dataset)
            with self._store.begin() as connection:
                mine = update(publications).where(
                    publications.c.dataset_id == dataset.row_id, publications.c.stamp == stamp
                )
                if connection.execute(mine.values(stamp=new)).rowcount and new is not None:
                    _restamp(connection, dataset, stamp, new)

    def late(self, before_us: int) -> list[Late]:
        """Datasets with an unpublished turn before a moment."""
        turns = select(publications.c.dataset_id, publications.c.turn_at)
        with self._store.read() as connection:
            rows = connection.execute(turns.where(publications.c.turn_at <= before_us - self.interval_us)).all()
        due = {row.dataset_id: row.turn_at + self.interval_us for row in rows}
        found = self.subjects() if due else []
        return [Late(each, due[each.dataset.row_id]) for each in found if each.dataset.row_id in due]

    def notice(self, late: Late) -> bool:
        """Note that a turn's lateness is told; False where it was before."""
        dataset_id, due_at = late.turn
        untold = or_(publications.c.noticed_at.is_(None), publications.c.noticed_at < due_at)
        mine = update(publications).where(publications.c.dataset_id == dataset_id, untold)
        with self._store.begin() as connection:
            return bool(connection.execute(mine.values(noticed_at=self._clock.now_us())).rowcount)

    def known(self, dataset: Dataset) -> set[str]:
        """Ids of the files that are not deleted."""
        query = select(dataset_files.c.file_id).where(
            dataset_files.c.dataset_id == dataset.row_id, dataset_files.c.deleted_at.is_(None)
        )
        with self._store.read() as connection:
            return set(connection.execute(query).scalars())

    def expired(self, before_us: int, at_most: int = 500) -> list[tuple[Subject, str]]:
        """Files stamped before a moment and not deleted yet: their dataset and id."""
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


def _row(dataset: Dataset, now: Published, file: tuple[Named, RenderedFile]) -> dict[str, Any]:
    name, made = file
    return {
        "dataset_id": dataset.row_id,
        "file_id": name.id,
        "name": name.name,
        "rows": made.rows,
        "bytes": made.bytes,
        "sha256": made.sha256,
        "report_date_begin": made.date_begin,
        "report_date_end": made.date_end,
        "published_at": now.stamp,
    }


def _restamp(connection: Connection, dataset: Dataset, stamp: int, new: int) -> None:
    of_stamp = (dataset_files.c.dataset_id == dataset.row_id, dataset_files.c.published_at == stamp)
    query = select(dataset_files.c.id).where(*of_stamp).order_by(dataset_files.c.id)
    for part, row_id in enumerate(connection.execute(query).scalars().all()):
        values = {"published_at": new, "name": named(dataset, new, part).name}
        connection.execute(update(dataset_files).where(dataset_files.c.id == row_id).values(**values))
