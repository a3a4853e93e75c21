"""Builds reports: a job is claimed, its days are rendered one by one, the file is put together, all ends at once."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from airtally.accounts.accounts import Account
from airtally.files.store import FileStore
from airtally.kit import metrics
from airtally.kit.clock import Clock
from airtally.kit.errors import Failure, StorageFull, Unavailable
from airtally.kit.faults import NO_FAULTS, Faults
from airtally.kit.loops import Loop
from airtally.kit.time import DAY_US, SECOND_US
from airtally.metadata.jobs import LEASE_SECONDS, Job, Jobs, LeaseLost
from airtally.reports.lease import KeptLease
from airtally.reports.parts import Assembly, Part, Parts, left_over
from airtally.reports.render import Renderer
from airtally.reports.report import Report, storage_name
from airtally.reports.service import JOB_KIND, ReportFile, Reports

_log = structlog.get_logger()

#: Trouble that may pass (a full disk, a database away) is waited out for so long after the request.
PATIENCE_US = 3600 * SECOND_US
#: A machine whose rows do not come is waited for so long.
DATA_PATIENCE_US = 300 * SECOND_US
#: A report whose workers end this often without a word is given up; more than an hour's waits come to.
MOST_ATTEMPTS = 50
_WAITS = (2, 5, 10, 20, 40, 60, 120)


class _Stopping(Exception):
    """The process ends: the job goes back as it is."""


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """`workers` reports at once in one process, so that a small one does not wait behind a large one."""

    staging: Path
    file_days: int = 90
    workers: int = 2
    poll_seconds: float = 1.0
    lease_seconds: float = LEASE_SECONDS
    renew_seconds: float = 10.0
    expire_seconds: float = 60.0


class ReportBuilder:
    """Claims and builds until stopped. `await_data` returns once all rows received by a moment are readable."""

    name = "reports"

    def __init__(
        self,
        reports: Reports,
        jobs: Jobs,
        renderer: Renderer,
        files: FileStore,
        clock: Clock,
        *,
        options: BuildOptions,
        await_data: Callable[[int, threading.Event], None],
        faults: Faults = NO_FAULTS,
    ) -> None:
        self._reports = reports
        self._jobs = jobs
        self._renderer = renderer
        self._files = files
        self._clock = clock
        self._options = options
        self._await_data = await_data
        self._faults = faults
        self._stopping = threading.Event()
        seconds = options.poll_seconds
        self._loops = [Loop(f"reports-{n + 1}", self.step, seconds, longest=5.0) for n in range(options.workers)]
        self._loops.append(Loop("report-files", self.expire_files, options.expire_seconds))

    def start(self) -> None:
        for loop in self._loops:
            loop.start()

    def wake(self) -> None:
        for loop in self._loops:
            loop.wake()

    @property
    def alive(self) -> bool:
        return all(loop.alive for loop in self._loops)

    def stop(self, timeout: float = 10.0) -> None:
        """Reports under way go back after the day they are at; another worker goes on with them."""
        self._stopping.set()
        for loop in self._loops:
            loop.stop(timeout)

    def step(self) -> float | None:
        """Build one report, if one waits; 0 asks to be called again at once."""
        job = self._jobs.claim([JOB_KIND], self._options.lease_seconds)
        if job is None:
            return None
        account, report = self._reports.of_job(job)
        log = _log.bind(report=report.id, account=account.slug, job=job.id, attempt=job.attempts)
        try:
            self._attempt(account, report, job)
        except LeaseLost:
            log.warning("report taken over by another worker")
        except _Stopping:
            self._jobs.release(job)
            log.info("report handed back")
        return 0.0

    def expire_files(self) -> float | None:
        """Remove the files whose life is over; the reports stay."""
        gone = self._reports.expired()
        for account_slug, report in gone:
            if report.file_name is not None:
                self._files.delete(storage_name(account_slug, report.file_name))
            self._reports.note_deleted(report)
            _log.info("report file expired", report=report.id, account=account_slug)
        for report_id in left_over(self._options.staging):
            if not self._reports.is_waiting(report_id):
                Parts(self._options.staging, report_id).discard()
        return 0.0 if gone else None

    def _attempt(self, account: Account, report: Report, job: Job) -> None:
        try:
            self._build(account, report, job)
        except (LeaseLost, _Stopping):
            raise
        except Exception as error:
            if self._stopping.is_set():
                raise _Stopping from error
            self._trouble(account, report, job, error)
        else:
            metrics.REPORTS.labels("success").inc()
            _log.info("report built", report=report.id, account=account.slug)

    def _build(self, account: Account, report: Report, job: Job) -> None:
        if job.attempts > MOST_ATTEMPTS:
            raise _GivenUp(f"Building this report was begun {MOST_ATTEMPTS} times and never ended")
        options = self._options
        with KeptLease(
            self._jobs, job, lease_seconds=options.lease_seconds, every_seconds=options.renew_seconds
        ) as lease:
            self._faults.reach("report.build")
            self._await_rows(report)
            parts = self._render(account, report, job, lease)
            self._publish(account, report, job, parts, lease)

    def _await_rows(self, report: Report) -> None:
        """Every row acknowledged before the request is in the report."""
        try:
            self._await_data(report.created_at, self._stopping)
        except Unavailable as failure:
            if self._stopping.is_set():
                raise _Stopping from None
            if self._clock.now_us() - report.created_at >= DATA_PATIENCE_US:
                raise _GivenUp(failure.message) from failure
            raise

    def _render(self, account: Account, report: Report, job: Job, lease: KeptLease) -> list[Part]:
        plan = self._renderer.plan(account, report)
        kept = Parts(self._options.staging, report.id)
        done = {day.day: part for day in plan.days if (part := kept.find(day.day)) is not None}
        for group in self._renderer.groups(plan, [day for day in plan.days if day.day not in done]):
            lease.check()
            if self._stopping.is_set():
                raise _Stopping
            for part in self._renderer.render(plan, group, [kept.new_file(day.day) for day in group]):
                kept.note(part)
                done[part.day] = part
            rows = sum(day.rows for day in plan.days if day.day in done)
            self._jobs.progress(job, rows, plan.rows, lease_seconds=self._options.lease_seconds)
        return [done[day.day] for day in plan.days]

    def _publish(self, account: Account, report: Report, job: Job, parts: list[Part], lease: KeptLease) -> None:
        """The file is complete before the report says so; whoever lost the lease takes its own away again."""
        kept = Parts(self._options.staging, report.id)
        assembly = Assembly(parts, kept.folder)
        name = f"{report.id}-{secrets.token_hex(7)[:13]}.gz"
        stored = storage_name(account.slug, name)
        self._files.write(stored, assembly.chunks())
        try:
            lease.check()
            self._reports.succeed(account, report, job, self._file(name, assembly, parts))
        except LeaseLost:
            self._files.delete(stored)
            raise
        kept.discard()

    def _file(self, name: str, assembly: Assembly, parts: list[Part]) -> ReportFile:
        now = self._clock.now_us()
        return ReportFile(
            name=name,
            rows=sum(part.rows for part in parts),
            bytes=assembly.size,
            sha256=assembly.sha256,
            expires_at=now + self._options.file_days * DAY_US,
            data_through=min((part.data_through for part in parts), default=now),
        )

    def _trouble(self, account: Account, report: Report, job: Job, error: Exception) -> None:
        """Wait out what may pass, give up the rest with a reason a person can use."""
        passing = isinstance(error, Unavailable | StorageFull) and not isinstance(error, _GivenUp)
        log = _log.bind(report=report.id, account=account.slug, job=job.id, attempt=job.attempts)
        if passing and self._clock.now_us() - report.created_at < PATIENCE_US:
            wait = _WAITS[min(job.attempts, len(_WAITS)) - 1]
            metrics.REPORT_TRIES.labels(getattr(error, "code", "fault")).inc()
            log.warning("report put off", error=str(error), seconds=wait)
            self._reports.put_off(job, wait, reason_of(error))
            return
        reason = reason_of(error)
        log.error("report failed", reason=reason, exc_info=error)
        Parts(self._options.staging, report.id).discard()
        self._reports.fail(account, report, job, reason)
        metrics.REPORTS.labels("failed").inc()


class _GivenUp(Failure):
    """No use to try again."""


def reason_of(error: Exception) -> str:
    """In words for whoever asked for the report."""
    if isinstance(error, Failure):
        return " ".join(filter(None, (error.message, error.hint)))
    return f"A fault in the server ({type(error).__name__}); its log has the details under this report's number."
