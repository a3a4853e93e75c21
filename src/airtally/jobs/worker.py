"""Works on jobs: claims each, keeps its lease, and ends it, puts it off or fails it."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import structlog

from airtally.jobs.lease import KeptLease
from airtally.jobs.leased_table import LeaseLost
from airtally.jobs.queue import LEASE_SECONDS, Job, Jobs
from airtally.jobs.retry_policy import RetryPolicy
from airtally.jobs.states import JobState
from airtally.kit import metrics
from airtally.kit.clock import Clock
from airtally.kit.errors import Failure, StorageFull, Unavailable
from airtally.kit.fair import CALLER
from airtally.kit.loops import Loop
from airtally.kit.time import SECOND_US

_log = structlog.get_logger()

#: Temporary failures (a full disk, an unreachable database) are retried until the job is this old.
PATIENCE_US = 3600 * SECOND_US
#: Rows of another machine are waited for until the job is this old.
DATA_PATIENCE_US = 300 * SECOND_US
#: The waits add up to more than an hour, so that attempts run out only where workers keep dying.
RETRY = RetryPolicy(waits=(2, 5, 10, 20, 40, 60, 120), attempts=50)

#: Returns once all rows received by a moment are readable, at once when the event is set; raises Unavailable.
WaitUntilVisible = Callable[[int, threading.Event], None]


class Stopping(Exception):
    """The process is stopping; the job is handed back as it is."""


class GivenUp(Failure):
    """The job cannot succeed; it is not tried again."""


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """`workers` is the number of jobs at once in one process, so that a small one does not wait behind a large one.

    One worker is left for other accounts, so that an account with long jobs delays nobody else.
    """

    workers: int = 3
    poll_seconds: float = 1.0
    lease_seconds: float = LEASE_SECONDS
    renew_seconds: float = 10.0

    @property
    def each(self) -> int:
        """How many jobs an account may have running in this process."""
        return max(1, self.workers - 1)


class Worker(ABC):
    """Claims jobs of its kinds until stopped; a subclass does the work of one.

    `thing` and `doing` name a job's subject and its work in messages to people.
    """

    name: ClassVar[str]
    kinds: ClassVar[tuple[str, ...]]
    thing: ClassVar[str] = "job"
    doing: ClassVar[str] = "This job"
    retry: ClassVar[RetryPolicy] = RETRY

    def __init__(self, jobs: Jobs, clock: Clock, options: WorkerOptions) -> None:
        self._jobs = jobs
        self._clock = clock
        self._options = options
        self._stopping = threading.Event()
        seconds = options.poll_seconds
        self._loops = [Loop(f"{self.name}-{n + 1}", self.step, seconds, longest=5.0) for n in range(options.workers)]

    @abstractmethod
    def work(self, job: Job, lease: KeptLease) -> None:
        """Do the work, and call `Jobs.finish` in the transaction of its result.

        Unavailable and StorageFull put the job off; any other exception fails it.
        """

    @abstractmethod
    def give_up(self, job: Job, reason: str) -> None:
        """Call `Jobs.fail` in the transaction that records the reason. May raise LeaseLost."""

    def clean_up(self, job: Job) -> None:  # noqa: B027 (what most leave goes with their files, or expires)
        """Remove what the attempt left of a job that was cancelled; called before that job may be begun anew.

        It is called for a job that another worker has taken over, too, whose work must be left alone.
        """

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
        """Stop the loops; jobs under way are handed back at their next `check`, for another worker."""
        self._stopping.set()
        for loop in self._loops:
            loop.stop(timeout)

    def step(self) -> float | None:
        """Work on one job, if one is due; returns 0 to be called again at once."""
        job = self._jobs.claim(self.kinds, self._options.lease_seconds, each=self._options.each)
        if job is None:
            return None
        CALLER.set(caller_of(job))  # for the turns of accounts on this thread
        try:
            self._attempt(job)
        except LeaseLost:
            _log.warning("job cancelled, or taken over by another worker", **_named(job))
            self.clean_up(job)
            self._jobs.let_go(job)
        except Stopping:
            self._jobs.release(job)
            _log.info("job handed back", **_named(job))
        return 0.0

    def check(self, lease: KeptLease) -> None:
        """Call this between the steps of long work. Raises LeaseLost or Stopping."""
        lease.check()
        if self._stopping.is_set():
            raise Stopping

    def wait_for_rows_of(self, job: Job, wait_until_visible: WaitUntilVisible) -> None:
        """Return once every row received before the job was made is readable. Raises Unavailable, GivenUp."""
        try:
            wait_until_visible(job.created_at, self._stopping)
        except Unavailable as failure:
            if not self._stopping.is_set() and self._age_us(job) >= DATA_PATIENCE_US:
                raise GivenUp(failure.message) from failure
            raise

    def _attempt(self, job: Job) -> None:
        try:
            self._work(job)
        except (LeaseLost, Stopping):
            raise
        except Exception as error:
            if self._stopping.is_set():
                raise Stopping from error
            self._trouble(job, error)
        else:
            metrics.JOBS.labels(job.kind, JobState.DONE).inc()
            _log.info("job done", **_named(job))

    def _work(self, job: Job) -> None:
        if not self.retry.allows(job.tries):
            raise GivenUp(f"{self.doing} was begun {self.retry.attempts} times and never ended")
        lease_seconds, every_seconds = self._options.lease_seconds, self._options.renew_seconds
        with KeptLease(self._jobs, job, lease_seconds=lease_seconds, every_seconds=every_seconds) as lease:
            self.work(job, lease)

    def _trouble(self, job: Job, error: Exception) -> None:
        """Put the job off for a temporary failure, else fail it with a reason for people."""
        reason = self._reason(error)
        wait = self.retry.wait(job.tries)
        if isinstance(error, Unavailable | StorageFull) and self._age_us(job) < PATIENCE_US and wait is not None:
            metrics.JOB_TRIES.labels(job.kind, error.code).inc()
            _log.warning("job put off", error=str(error), seconds=wait, **_named(job))
            self._jobs.put_off(job, wait, reason)
            return
        _log.error("job failed", reason=reason, exc_info=error, **_named(job))
        self.give_up(job, reason)
        metrics.JOBS.labels(job.kind, JobState.FAILED).inc()

    def _age_us(self, job: Job) -> int:
        return self._clock.now_us() - job.created_at

    def _reason(self, error: Exception) -> str:
        """The reason in words for whoever requested the job."""
        if isinstance(error, Failure):
            return " ".join(filter(None, (error.message, error.hint)))
        kind = type(error).__name__
        return f"A fault in the server ({kind}); its log has the details under this {self.thing}'s number."


def caller_of(job: Job) -> str:
    """Whose turn a job's work takes: that of its account."""
    return f"account {job.account_id}"


def _named(job: Job) -> dict[str, object]:
    return {"kind": job.kind, "subject": job.subject, "job": job.id, "attempt": job.attempts}
