"""Works on jobs: each is claimed, kept by its lease, and ended, put off or given up."""

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

#: Trouble that may pass (a full disk, a database away) is waited out for so long after the job was made.
PATIENCE_US = 3600 * SECOND_US
#: A machine whose rows do not come is waited for so long.
DATA_PATIENCE_US = 300 * SECOND_US
#: Waits that come to more than an hour, so that attempts run out only where workers die without a word.
RETRY = RetryPolicy(waits=(2, 5, 10, 20, 40, 60, 120), attempts=50)

#: Returns once all rows received by a moment are readable, at once when told to stop; raises Unavailable.
WaitUntilVisible = Callable[[int, threading.Event], None]


class Stopping(Exception):
    """The process ends: the job goes back as it is."""


class GivenUp(Failure):
    """No use to try again."""


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """`workers` jobs at once in one process, so that a small one does not wait behind a large one.

    One of them is for other accounts than the one that has the rest: an account with long jobs delays nobody.
    """

    workers: int = 3
    poll_seconds: float = 1.0
    lease_seconds: float = LEASE_SECONDS
    renew_seconds: float = 10.0

    @property
    def each(self) -> int:
        """How many an account may have at once."""
        return max(1, self.workers - 1)


class Worker(ABC):
    """Claims jobs of its kinds until stopped; a subclass says what is done for one.

    `thing` and `doing` name a job's subject and the work in reasons for people.
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
        """Do it, and end the job (`Jobs.finish`) in the transaction of its result.

        What it raises is judged by `step`: Unavailable and StorageFull are waited out, the rest gives the job up.
        """

    @abstractmethod
    def give_up(self, job: Job, reason: str) -> None:
        """End the job (`Jobs.fail`) in the transaction that notes the reason. May raise LeaseLost."""

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
        """Jobs under way go back where `check` meets the stop; another worker goes on with them."""
        self._stopping.set()
        for loop in self._loops:
            loop.stop(timeout)

    def step(self) -> float | None:
        """Work on one job, if one waits; 0 asks to be called again at once."""
        job = self._jobs.claim(self.kinds, self._options.lease_seconds, each=self._options.each)
        if job is None:
            return None
        CALLER.set(f"account {job.account_id}")  # of this thread, for whoever lets accounts take turns
        try:
            self._attempt(job)
        except LeaseLost:
            _log.warning("job taken over by another worker", **_named(job))
        except Stopping:
            self._jobs.release(job)
            _log.info("job handed back", **_named(job))
        return 0.0

    def check(self, lease: KeptLease) -> None:
        """To be called between parts of long work. Raises LeaseLost or Stopping."""
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
        if not self.retry.allows(job.attempts):
            raise GivenUp(f"{self.doing} was begun {self.retry.attempts} times and never ended")
        lease_seconds, every_seconds = self._options.lease_seconds, self._options.renew_seconds
        with KeptLease(self._jobs, job, lease_seconds=lease_seconds, every_seconds=every_seconds) as lease:
            self.work(job, lease)

    def _trouble(self, job: Job, error: Exception) -> None:
        """Wait out what may pass, give up the rest with a reason a person can use."""
        reason = self._reason(error)
        wait = self.retry.wait(job.attempts)
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
        """In words for whoever asked for it."""
        if isinstance(error, Failure):
            return " ".join(filter(None, (error.message, error.hint)))
        kind = type(error).__name__
        return f"A fault in the server ({kind}); its log has the details under this {self.thing}'s number."


def _named(job: Job) -> dict[str, object]:
    return {"kind": job.kind, "subject": job.subject, "job": job.id, "attempt": job.attempts}
