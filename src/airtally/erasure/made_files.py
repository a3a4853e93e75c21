"""Files and results made of persons' rows: removed where they can be asked for again, named where they stay."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from sqlalchemy import func, select

from airtally.accounts.accounts import Account
from airtally.database.store import MetadataStore
from airtally.database.tables import dataset_files, datasets, statistics, users
from airtally.datasets.layout import LAYOUTS
from airtally.datasets.work import FILE_DAYS
from airtally.erasure.journal import StepJournal
from airtally.erasure.person import PERSON_STREAMS, Person
from airtally.erasure.records import ErasureFinding, ErasureTask
from airtally.erasure.store_protocol import Check
from airtally.files.store import FileStore
from airtally.kit.time import to_datetime
from airtally.statistics.service import Statistics, StatisticState, storage_name

FILES, METADATA = "files", "metadata"


class StatisticFiles:
    """Results of scheduled statistics: their files list tags' values, and their requests may name a person."""

    def __init__(self, store: MetadataStore, requests: Statistics, files: FileStore) -> None:
        self._store = store
        self._requests = requests
        self._files = files

    def count(self, account: Account, person: Person) -> Iterable[ErasureFinding]:  # noqa: ARG002 (whoever the person is)
        found = len(self._ended(account, None))
        yield ErasureFinding(FILES, "statistics", found, 0, found)

    def erase(self, task: ErasureTask, journal: StepJournal, check: Check) -> None:
        """All that had ended by then: whose rows a result counts is not known. Whoever needs one asks again."""
        for request_id, file_name in self._ended(task.account, task.through_us):
            check()
            if file_name is not None:
                self._files.delete(storage_name(file_name))
            found = self._requests.find(task.account, request_id)
            if found is not None:
                self._requests.forget([found])
                with self._store.begin() as connection:
                    journal.note_within(connection, ErasureFinding(FILES, "statistics", 1, 1))

    def _ended(self, account: Account, through_us: int | None) -> list[tuple[str, str | None]]:
        query = select(statistics.c.request_id, statistics.c.file_name).where(
            statistics.c.account_id == account.id, statistics.c.status != StatisticState.WAITING
        )
        if through_us is not None:
            query = query.where(statistics.c.created_at <= through_us)
        with self._store.read() as connection:
            return [(row.request_id, row.file_name) for row in connection.execute(query)]


class PublishedFiles:
    """Published files are never changed; the next ones bring the deletion. Says until when the earlier ones stay."""

    def __init__(self, store: MetadataStore) -> None:
        self._store = store

    def count(self, account: Account, person: Person) -> Iterable[ErasureFinding]:
        return self._findings(account, person)

    def erase(self, task: ErasureTask, journal: StepJournal, check: Check) -> None:
        """Changes nothing; notes what stays."""
        check()
        for finding in () if task.person is None else self._findings(task.account, task.person):
            journal.state(finding)

    def _findings(self, account: Account, person: Person) -> Iterable[ErasureFinding]:
        published = [stream.name for stream in PERSON_STREAMS if person.wanted(stream) and stream.name in LAYOUTS]
        query = (
            select(datasets.c.dataset_id, func.count(), func.max(dataset_files.c.published_at))
            .join_from(datasets, dataset_files)
            .where(datasets.c.account_id == account.id, datasets.c.stream.in_(published))
            .where(dataset_files.c.deleted_at.is_(None))
            .group_by(datasets.c.dataset_id)
        )
        with self._store.read() as connection:
            rows = connection.execute(query).all()
        for dataset_id, count, last in rows:
            until = (to_datetime(last) + timedelta(days=FILE_DAYS)).date()
            why = f"published files are never changed; the last is deleted on {until}. The next file has the deletions"
            yield ErasureFinding(FILES, f"dataset {dataset_id}", count, 0, count, why)


class ConsoleUsers:
    """People who log in to the account are no persons of its rows; those with the same address are named."""

    def __init__(self, store: MetadataStore) -> None:
        self._store = store

    def count(self, account: Account, person: Person) -> Iterable[ErasureFinding]:
        query = select(func.count()).where(
            users.c.account_id == account.id, func.lower(users.c.email).in_(person.ids.get("email", ()))
        )
        with self._store.read() as connection:
            found = connection.execute(query).scalar_one()
        yield ErasureFinding(METADATA, "users", found, 0, found, "who may log in is not changed" if found else None)

    def erase(self, task: ErasureTask, journal: StepJournal, check: Check) -> None:
        """Changes nothing; notes what stays."""
        check()
        for finding in () if task.person is None else self.count(task.account, task.person):
            journal.state(finding)
