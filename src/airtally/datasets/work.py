"""Publishes on schedule: each dataset's job comes due at each slot and is tried until it succeeds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import structlog

from airtally.accounts.accounts import Account
from airtally.datasets.publication_store import JOB_KIND, PublicationStore, Subject
from airtally.datasets.publish import Publication, Publisher
from airtally.datasets.stamps import slot_of
from airtally.jobs.lease import KeptLease
from airtally.jobs.queue import Job, Jobs
from airtally.jobs.retry_policy import RetryPolicy
from airtally.jobs.worker import WaitUntilVisible, Worker, WorkerOptions
from airtally.kit import metrics
from airtally.kit.clock import Clock
from airtally.kit.errors import NotFound, Unavailable
from airtally.kit.loops import Loop
from airtally.kit.time import DAY_US, SECOND_US

_log = structlog.get_logger()

#: How long published files are kept; the rows of a changelog stay. A day longer than listings show them
#: (docs/vendors/slate.md#5, #7), so that pages and links given out before lead to them for all of their time.
FILE_DAYS = 731
#: A dataset's job never ends. Each wait is about a quarter of the time since the turn, 2 minutes at most.
RETRY = RetryPolicy(waits=(*[2.0] * 4, 2.5, 3, 4, 5, 6, 7, 9, 11, 14, 18, 22, 28, 35, 43, 54, 68, 84, 105, 120))
#: How long a publication on demand waits for one that is under way.
_PATIENCE_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class PublicationOptions(WorkerOptions):
    care_seconds: float = 2.0
    expire_seconds: float = 600.0


class PublicationWorker(Worker):
    """Publishes what is due, adds jobs of new datasets, settles stamps, and deletes expired files."""

    name: ClassVar[str] = "publications"
    kinds: ClassVar[tuple[str, ...]] = (JOB_KIND,)
    retry: ClassVar[RetryPolicy] = RETRY

    def __init__(
        self,
        publisher: Publisher,
        jobs: Jobs,
        clock: Clock,
        options: PublicationOptions,
        *,
        wait_until_visible: WaitUntilVisible,
    ) -> None:
        super().__init__(jobs, clock, options)
        self._publisher = publisher
        self._publication_store = publisher.publication_store
        self._wait_until_visible = wait_until_visible
        self._loops.append(Loop("publication-care", self.care, options.care_seconds))
        self._loops.append(Loop("publication-files", self.expire_files, options.expire_seconds))

    def work(self, job: Job, lease: KeptLease) -> None:
        self._wait_until_visible(slot_of(self._clock.now_us(), self._publication_store.interval_us), self._stopping)
        self._publisher.publish(self._publication_store.of_job(job), job, lambda: self.check(lease))

    def give_up(self, job: Job, reason: str) -> None:
        raise NotImplementedError  # a dataset's job never ends

    def _trouble(self, job: Job, error: Exception) -> None:
        """Whatever it is, the slot is tried again; another loop tells that it is late."""
        wait = self.retry.wait_at((self._clock.now_us() - self._due(job)) / SECOND_US)
        metrics.PUBLICATION_FAILURES.inc()
        _log.error("publication failed", dataset=job.subject, seconds=wait, exc_info=error)
        self._jobs.put_off(job, wait, self._reason(error))

    def _due(self, job: Job) -> int:
        """When the job came due first, however often it was put off since: at the slot after the one last published."""
        subject = self._publication_store.of_job(job)
        return self._publication_store.state(subject.dataset).slot_at + self._publication_store.interval_us

    def care(self) -> None:
        self._publication_store.enrol()
        for subject in self._publication_store.unsettled():
            try:
                self._publication_store.settle(subject.dataset)
            except Exception:  # noqa: BLE001 (one dataset's trouble is not another's; it is tried at each step)
                metrics.LOOP_FAILURES.labels("publication-care").inc()
                _log.exception("publication not settled", dataset=subject.dataset.id)

    def expire_files(self) -> float | None:
        self._publisher.tidy()
        return 0.0 if self._publisher.expire(self._clock.now_us() - FILE_DAYS * DAY_US) else None


class OnDemand:
    """Publishes an account's datasets now, in any process. Thread-safe: it has no state of its own."""

    def __init__(
        self,
        publisher: Publisher,
        jobs: Jobs,
        clock: Clock,
        options: WorkerOptions,
        *,
        wait_until_visible: WaitUntilVisible,
    ) -> None:
        self._publisher = publisher
        self._jobs = jobs
        self._clock = clock
        self._options = options
        self._wait_until_visible = wait_until_visible

    def run(self, account: Account, dataset: str | None = None) -> list[Publication]:
        """Publish all of an account's datasets, or the one of that id, with every row acknowledged before the call.

        Raises NotFound, and Unavailable if rows do not reach the lake or another publication does not end.
        """
        publication_store: PublicationStore = self._publisher.publication_store
        publication_store.enrol()
        subjects = [each for each in publication_store.subjects(account) if dataset in {None, each.dataset.id}]
        if dataset is not None and not subjects:
            raise NotFound(f"There is no dataset {dataset[:128]!r}", hint="`airtally slate business list` shows them")
        return self.publish(subjects)

    def subject(self, row_id: int) -> Subject | None:
        """The dataset with that number in the metadata store, once it has a job."""
        self._publisher.publication_store.enrol()
        return self._publisher.publication_store.numbered(row_id)

    def publish(
        self, subjects: Sequence[Subject], check: Callable[[], None] = lambda: None, stop: threading.Event | None = None
    ) -> list[Publication]:
        """Publish datasets whose jobs there are. `check` may raise between the steps; `stop` ends the waits.

        Raises Unavailable if rows do not reach the lake or another publication does not end.
        """
        stop = stop or threading.Event()
        if subjects:
            self._wait_until_visible(self._clock.now_us(), stop)
        return [self._one(subject, check, stop) for subject in subjects]

    def _one(self, subject: Subject, check: Callable[[], None], stop: threading.Event) -> Publication:
        job = self._taken(subject, stop)
        options = self._options
        try:
            with KeptLease(
                self._jobs, job, lease_seconds=options.lease_seconds, every_seconds=options.renew_seconds
            ) as lease:

                def check_both() -> None:
                    lease.check()
                    check()

                return self._publisher.publish(subject, job, check_both)
        except BaseException:
            self._jobs.release(job)
            raise

    def _taken(self, subject: Subject, stop: threading.Event) -> Job:
        """The dataset's job, once a publication that is under way has ended."""
        until = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < until:
            job = self._jobs.take(JOB_KIND, str(subject.dataset.row_id), self._options.lease_seconds)
            if job is not None:
                return job
            if stop.wait(0.1):
                break
        raise Unavailable(f"Another publication of dataset {subject.dataset.id} does not end")
