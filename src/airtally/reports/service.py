"""Creates, finds, lists and ends the reports of an account."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import msgspec
from sqlalchemy import Connection, Select, delete, func, insert, select, update

from airtally.accounts.accounts import ACCOUNT_COLUMNS, IS_OPEN, Account
from airtally.accounts.audit import note_change
from airtally.accounts.owners import Owners
from airtally.database.rows import AnyRow
from airtally.database.store import MetadataStore
from airtally.database.tables import accounts, reports
from airtally.database.tables import deliveries as delivery_rows
from airtally.jobs.interrupt import AfterChange, begin_job_anew, cancel_job
from airtally.jobs.queue import Job, Jobs
from airtally.jobs.states import JobState
from airtally.kit.clock import Clock
from airtally.kit.errors import Forbidden, NotFound
from airtally.kit.loops import wake_all
from airtally.kit.paging import Page, SortKey
from airtally.reports.outbox import Deliveries
from airtally.reports.report import Report, ReportLinks, ReportState
from airtally.reports.report_type import ReportType
from airtally.reports.requests import ReportRequest

#: Kind of the jobs that build reports; the subject is the report's id.
JOB_KIND = "report"
_OWNED = "report"


@dataclass(frozen=True, slots=True)
class ReportFile:
    """A finished file, already stored under `name`. Times in microseconds UTC."""

    name: str
    rows: int
    bytes: int
    sha256: str
    expires_at: int
    data_through: int


class Reports:
    """Thread-safe. Wakes workers through `on_created` after a new report, `on_notice` after a new delivery."""

    job_kinds: ClassVar[tuple[str, ...]] = (JOB_KIND,)

    def __init__(
        self,
        store: MetadataStore,
        clock: Clock,
        *,
        jobs: Jobs,
        owners: Owners,
        deliveries: Deliveries,
        links: ReportLinks,
        report_type: ReportType,
    ) -> None:
        self._store = store
        self._report_type = report_type
        self._jobs = jobs
        self._owners = owners
        self._deliveries = deliveries
        self._links = links
        self._clock = clock
        self.on_created: list[Callable[[], None]] = []
        self.on_notice: list[Callable[[], None]] = []

    def create(
        self, account: Account, request: ReportRequest, note: Callable[[Connection, Report], None] | None = None
    ) -> Report:
        """Store a waiting report and its job in one transaction; `note` is called in it."""
        now = self._clock.now_us()
        values = {
            "account_id": account.id,
            "type": request.type,
            "format": request.format,
            "filter": msgspec.json.encode(request.filter).decode(),
            "webhook": request.webhook,
            "status": ReportState.WAITING,
            "created_at": now,
            "updated_at": now,
        }
        with self._store.begin() as connection:
            added = insert(reports).values(values).returning(*reports.c)
            report = Report.from_row(connection.execute(added).one())
            self._owners.claim_within(connection, _OWNED, [str(report.id)], account.id)
            self._jobs.add(connection, JOB_KIND, str(report.id), account.id)
            if note is not None:
                note(connection, report)
        wake_all(self.on_created)
        return report

    def get(self, account: Account, report_id: int) -> Report:
        """Raises NotFound, or Forbidden for another account's."""
        query = _of(account).where(reports.c.id == report_id)
        with self._store.read() as connection:
            row = connection.execute(query).one_or_none()
        if row is not None:
            return Report.from_row(row)
        if self._owners.owner_of(_OWNED, str(report_id)) not in {None, account.id}:
            raise Forbidden(f"Report with ID {report_id} does not belong to current user")
        raise NotFound(f"Report with ID {report_id} was not found")

    def own(self, account: Account, report_id: int) -> Report:
        """As `get`, but another account's report is one that is not there. Raises NotFound."""
        with self._store.read() as connection:
            row = connection.execute(_of(account).where(reports.c.id == report_id)).one_or_none()
        if row is None:
            raise NotFound(f"There is no report {report_id}")
        return Report.from_row(row)

    def newest(
        self, account: Account, *, before: int | None = None, limit: int = 100, states: Sequence[ReportState] = ()
    ) -> list[Report]:
        """Newest first, from the one before the id `before`; of all states, if none is given."""
        query = _of(account).order_by(reports.c.id.desc()).limit(limit)
        if states:
            query = query.where(reports.c.status.in_(states))
        if before is not None:
            query = query.where(reports.c.id < before)
        with self._store.read() as connection:
            return [Report.from_row(row) for row in connection.execute(query)]

    def page(
        self, account: Account, page: Page, sort: Sequence[SortKey] = (), *, statuses: Sequence[ReportState] = ()
    ) -> tuple[list[Report], int]:
        """A page of the account's reports, and the number of all. `sort` names columns; ties are ordered by id."""
        where = [reports.c.account_id == account.id]
        if statuses:
            where.append(reports.c.status.in_(statuses))
        order = [reports.c[key.field].desc() if key.descending else reports.c[key.field].asc() for key in sort]
        query = select(*reports.c).where(*where).order_by(*order, reports.c.id).limit(page.limit).offset(page.offset)
        with self._store.read() as connection:
            total = connection.execute(select(func.count()).select_from(reports).where(*where)).scalar_one()
            return [Report.from_row(row) for row in connection.execute(query)], total

    def url(self, account: Account, report: Report) -> str | None:
        """The link to the file of a successful report."""
        return None if report.file_name is None else self._links.url(account.slug, report.file_name)

    def progress(self, report: Report) -> str:
        """The progress of a waiting report, in words for a person."""
        return progress_of(report, self.job(report))

    def job(self, report: Report) -> Job | None:
        """What builds it, or has built it; None once that is no longer listed."""
        return self._jobs.find(JOB_KIND, str(report.id))

    def by_link(self, slug: str, file_name: str, signature: str) -> tuple[Account, Report]:
        """The report behind a link. Raises NotFound for a wrong signature, and once the file has expired."""
        missing = NotFound("There is no such file, or it is no longer kept")
        if not self._links.is_valid(slug, file_name, signature):
            raise missing
        query = _with_account().where(accounts.c.slug == slug, reports.c.file_name == file_name, IS_OPEN)
        with self._store.read() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise missing
        account, report = _account_and_report(row)
        if not report.has_file(self._clock.now_us()):
            raise missing
        return account, report

    def of_job(self, job: Job) -> tuple[Account, Report]:
        """The report that a job is to build."""
        with self._store.read() as connection:
            return _account_and_report(connection.execute(_of_job(job)).one())

    def is_waiting(self, report_id: int) -> bool:
        query = select(reports.c.id).where(reports.c.id == report_id, reports.c.status == ReportState.WAITING)
        with self._store.read() as connection:
            return connection.execute(query).first() is not None

    def expired(self, limit: int = 100) -> list[tuple[str, Report]]:
        """Reports whose file has expired and is not deleted yet, with their account's slug."""
        over = (reports.c.file_expires_at <= self._clock.now_us()) & reports.c.file_deleted_at.is_(None)
        with self._store.read() as connection:
            found = [_account_and_report(row) for row in connection.execute(_with_account().where(over).limit(limit))]
        return [(account.slug, report) for account, report in found]

    def note_deleted(self, report: Report) -> None:
        """Record that the file was deleted; the report stays a success."""
        gone = update(reports).where(reports.c.id == report.id).values(file_deleted_at=self._clock.now_us())
        with self._store.begin() as connection:
            connection.execute(gone)

    def succeed(self, account: Account, report: Report, job: Job, file: ReportFile) -> None:
        """End report and job and add the first delivery, in one transaction; the file is stored. Raises LeaseLost."""
        done = replace(
            report,
            status=ReportState.SUCCESS,
            file_name=file.name,
            file_rows=file.rows,
            file_bytes=file.bytes,
            file_sha256=file.sha256,
            file_expires_at=file.expires_at,
            data_through=file.data_through,
            updated_at=self._clock.now_us(),
        )
        with self._store.begin() as connection:
            self._jobs.finish(connection, job)
            self._end(connection, account, done)
        self._wake_deliveries(done)

    def fail(self, account: Account, report: Report, job: Job, reason: str) -> None:
        """End report and job as failed, with the reason in words for a person. Raises LeaseLost."""
        done = replace(report, status=ReportState.FAILED, error=reason, updated_at=self._clock.now_us())
        with self._store.begin() as connection:
            self._jobs.fail(connection, job, reason)
            self._end(connection, account, done)
        self._wake_deliveries(done)

    def stop(self, account: Account, report_id: int, reason: str) -> Report:
        """Take the job from whoever builds the report, as it is about to be deleted. Raises NotFound."""
        mine = reports.c.account_id == account.id, reports.c.id == report_id
        with self._store.begin() as connection:
            self._jobs.forget(connection, JOB_KIND, str(report_id))
            ended = update(reports).where(*mine, reports.c.status == ReportState.WAITING)
            connection.execute(ended.values(status=ReportState.CANCELLED, error=reason))
        return self.own(account, report_id)

    def forget(self, report: Report) -> None:
        """Remove a report that `stop` returned, and the tries of its notice; its file is deleted by now."""
        with self._store.begin() as connection:
            connection.execute(delete(delivery_rows).where(delivery_rows.c.report_id == report.id))
            if connection.execute(delete(reports).where(reports.c.id == report.id)).rowcount:
                at, target = self._clock.now_us(), f"report {report.id}"
                note_change(connection, at, "report.delete", target, account_id=report.account_id)

    def cancel_within(self, connection: Connection, job: Job, reason: str) -> AfterChange:
        """As `JobSubject` says; whoever waits for the notice gets that of a failed report."""
        cancel_job(connection, job, reason, self._jobs.now_us())
        account, report = _account_and_report(connection.execute(_of_job(job)).one())
        done = replace(report, status=ReportState.CANCELLED, error=reason, updated_at=self._clock.now_us())
        self._end(connection, account, done)
        return lambda: self._wake_deliveries(done)

    def begin_anew_within(self, connection: Connection, job: Job) -> AfterChange:
        """As `JobSubject` says. Raises TooManyJobs, too."""
        if job.account_id is not None:
            self._jobs.check_room(connection, job.account_id)
        begin_job_anew(connection, job, self._jobs.now_us())
        waiting = {"status": ReportState.WAITING, "error": None, "updated_at": self._clock.now_us()}
        connection.execute(update(reports).where(reports.c.id == int(job.subject)).values(waiting))
        return lambda: wake_all(self.on_created)

    def _end(self, connection: Connection, account: Account, done: Report) -> None:
        names = ("status", "error", "file_name", "file_rows", "file_bytes", "file_sha256", "file_expires_at")
        values = {name: getattr(done, name) for name in (*names, "data_through", "updated_at")}
        connection.execute(update(reports).where(reports.c.id == done.id).values(values))
        if done.webhook is not None:
            payload = self._report_type.notice(done, self.url(account, done)).decode()
            self._deliveries.add(connection, done.account_id, done.id, done.webhook, payload)

    def _wake_deliveries(self, done: Report) -> None:
        if done.webhook is not None:
            wake_all(self.on_notice)


def progress_of(report: Report, job: Job | None) -> str:
    """The progress of a report that this job builds, in words for a person."""
    if job is None or report.status != ReportState.WAITING:
        return report.status
    done = f"{job.progress_done} of {job.progress_total} rows read" if job.progress_total else "waiting"
    return f"{done}; put off: {job.error}" if job.error and job.state == JobState.READY else done


def _of(account: Account) -> Select[Any]:
    return select(*reports.c).where(reports.c.account_id == account.id)


def _with_account() -> Select[Any]:
    return select(*reports.c, *ACCOUNT_COLUMNS).join(accounts, accounts.c.id == reports.c.account_id)


def _of_job(job: Job) -> Select[Any]:
    return _with_account().where(reports.c.id == int(job.subject))


def _account_and_report(row: AnyRow) -> tuple[Account, Report]:
    return Account.from_row(row), Report.from_row(row)
