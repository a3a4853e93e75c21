"""Computes statistics, waiting for other machines' rows if there are any, and removes them after a day."""

from __future__ import annotations

import structlog

from airtally.accounts.accounts import Account
from airtally.files.store import FileStore
from airtally.jobs.lease import KeptLease
from airtally.jobs.queue import Job, Jobs
from airtally.jobs.worker import WaitUntilVisible, Worker, WorkerOptions
from airtally.kit.clock import Clock
from airtally.kit.faults import NO_FAULTS, Faults
from airtally.kit.loops import Loop
from airtally.query.service import Queries
from airtally.statistics.asked import TagStatistics
from airtally.statistics.events import count_events
from airtally.statistics.service import JOB_KIND, Statistic, Statistics, storage_name
from airtally.statistics.tags import count_tags

_log = structlog.get_logger()
_EXPIRE_SECONDS = 60.0


class StatisticsWorker(Worker):
    name = "statistics"
    kinds = (JOB_KIND,)
    thing = "request"
    doing = "Computing these statistics"

    def __init__(
        self,
        statistics: Statistics,
        jobs: Jobs,
        queries: Queries,
        files: FileStore,
        clock: Clock,
        *,
        wait_until_visible: WaitUntilVisible,
        options: WorkerOptions | None = None,
        faults: Faults = NO_FAULTS,
    ) -> None:
        super().__init__(jobs, clock, options or WorkerOptions())
        self._statistics = statistics
        self._queries = queries
        self._files = files
        self._wait_until_visible = wait_until_visible
        self._faults = faults
        self._loops.append(Loop("statistics-expire", self.expire, _EXPIRE_SECONDS))

    def work(self, job: Job, lease: KeptLease) -> None:
        self._faults.reach("statistics.run")
        account, wanted = self._statistics.of_job(job)
        self.wait_for_rows_of(job, self._wait_until_visible)
        result, data_through = self._computed(account, wanted)
        self.check(lease)
        self._statistics.succeed(job, result, data_through)

    def give_up(self, job: Job, reason: str) -> None:
        self._statistics.fail(job, reason)

    def expire(self) -> float | None:
        """Remove expired requests, their files first."""
        gone = self._statistics.expired()
        for each in gone:
            if each.file_name is not None:
                self._files.delete(storage_name(each.file_name))
        if gone:
            self._statistics.forget(gone)
            _log.info("statistics expired", count=len(gone))
        return 0.0 if gone else None

    def _computed(self, account: Account, wanted: Statistic) -> tuple[bytes, int]:
        """The result, and the moment through which it is complete. All attempts write the file under one name."""
        if isinstance(wanted.asked, TagStatistics):
            return count_tags(self._queries, account, wanted.asked, self._files, storage_name(str(wanted.file_name)))
        return count_events(self._queries, account, wanted.asked)
