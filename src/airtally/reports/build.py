"""Builds reports: claims a job, renders its days, assembles the file and ends everything in one transaction."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import structlog

from airtally.accounts.accounts import Account
from airtally.files.store import FileStore
from airtally.jobs.lease import KeptLease
from airtally.jobs.leased_table import LeaseLost
from airtally.jobs.queue import Job, Jobs
from airtally.jobs.worker import WaitUntilVisible, Worker, WorkerOptions, caller_of
from airtally.kit.clock import Clock
from airtally.kit.fair import CALLER
from airtally.kit.faults import NO_FAULTS, Faults
from airtally.kit.loops import Loop
from airtally.kit.prefetch import prefetch
from airtally.kit.time import DAY_US
from airtally.reports.joined_file import JoinedFile, JoinedReport
from airtally.reports.parts import DayFile, Parts, discard_parts, left_over
from airtally.reports.render import Day, Plan, ReportRenderer
from airtally.reports.report import Report, storage_name
from airtally.reports.service import JOB_KIND, ReportFile, Reports

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildOptions(WorkerOptions):
    """`staging` is the folder for finished days of reports under way. Files are kept for `file_days`."""

    staging: Path
    file_days: int = 90
    expire_seconds: float = 60.0


class ReportBuilder(Worker):
    """Builds requested reports, and deletes expired files."""

    name = "reports"
    kinds = (JOB_KIND,)
    thing = "report"
    doing = "Building this report"

    def __init__(
        self,
        reports: Reports,
        jobs: Jobs,
        renderer: ReportRenderer,
        files: FileStore,
        clock: Clock,
        *,
        options: BuildOptions,
        wait_until_visible: WaitUntilVisible,
        faults: Faults = NO_FAULTS,
    ) -> None:
        super().__init__(jobs, clock, options)
        self._reports = reports
        self._renderer = renderer
        self._files = files
        self._staging = options.staging
        self._file_days = options.file_days
        self._wait_until_visible = wait_until_visible
        self._faults = faults
        self._loops.append(Loop("report-files", self.expire_files, options.expire_seconds))

    def work(self, job: Job, lease: KeptLease) -> None:
        self._faults.reach("report.build")
        account, report = self._reports.of_job(job)
        self.wait_for_rows_of(job, self._wait_until_visible)
        plan = self._renderer.plan(account, report)
        kept = Parts(self._staging, report.id, job.attempts_before)
        with JoinedFile(kept, [day.day for day in plan.days]) as whole:
            parts = self._render(plan, kept, whole, job, lease)
            self._publish(account, report, job, whole.finish(), parts, lease)
        discard_parts(self._staging, report.id)

    def give_up(self, job: Job, reason: str) -> None:
        account, report = self._reports.of_job(job)
        discard_parts(self._staging, report.id)
        self._reports.fail(account, report, job, reason)

    def expire_files(self) -> float | None:
        """Delete expired files, and staged days of reports that have ended; the reports stay."""
        gone = self._reports.expired()
        for account_slug, report in gone:
            if report.file_name is not None:
                self._files.delete(storage_name(account_slug, report.file_name))
            self._reports.note_deleted(report)
            _log.info("report file expired", report=report.id, account=account_slug)
        for report_id in left_over(self._staging):
            if not self._reports.is_waiting(report_id):
                discard_parts(self._staging, report_id)
        return 0.0 if gone else None

    def _render(self, plan: Plan, kept: Parts, whole: JoinedFile, job: Job, lease: KeptLease) -> list[DayFile]:
        """Add all days to `whole`. Each is noted, and added, while those after it are rendered."""
        done = {day.day: part for day in plan.days if (part := kept.find(day.day)) is not None}
        wanted = [day for day in plan.days if day.day not in done]
        whole.add(done)
        with closing(prefetch(self._rendered(plan, wanted, kept, job, lease))) as rendered:
            for parts in rendered:
                for part in parts:
                    kept.note(part)
                    done[part.day] = part
                whole.add(done)
                rows = sum(day.rows for day in plan.days if day.day in done)
                self._jobs.progress(job, rows, plan.rows, lease_seconds=self._options.lease_seconds)
        return [done[day.day] for day in plan.days]

    def _rendered(
        self, plan: Plan, days: Sequence[Day], kept: Parts, job: Job, lease: KeptLease
    ) -> Iterator[list[DayFile]]:
        """Days rendered together, on a thread of their own, as `prefetch` reads them."""
        CALLER.set(caller_of(job))
        for group in self._renderer.groups(plan, days):
            self.check(lease)
            yield self._renderer.render(plan, group, [kept.new_file(day.day) for day in group])

    def _publish(  # noqa: PLR0917 (the report, its job and lease, and what was made)
        self, account: Account, report: Report, job: Job, whole: JoinedReport, parts: list[DayFile], lease: KeptLease
    ) -> None:
        """Store the complete file before the report refers to it; delete it again if the lease was lost."""
        name = f"{report.id}-{secrets.token_hex(7)[:13]}.gz"
        stored = storage_name(account.slug, name)
        self._files.take(stored, whole.path)
        try:
            lease.check()
            self._reports.succeed(account, report, job, self._file(name, whole, parts))
        except LeaseLost:
            self._files.delete(stored)
            raise

    def _file(self, name: str, whole: JoinedReport, parts: list[DayFile]) -> ReportFile:
        now = self._clock.now_us()
        return ReportFile(
            name=name,
            rows=sum(part.rows for part in parts),
            bytes=whole.size,
            sha256=whole.sha256,
            expires_at=now + self._file_days * DAY_US,
            data_through=min((part.data_through for part in parts), default=now),
        )
