"""Works on tasks: each step's result is noted under the lease, so that a takeover goes on after it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import ClassVar

from airtally.jobs.lease import KeptLease
from airtally.jobs.queue import Job, Jobs
from airtally.jobs.worker import Worker, WorkerOptions
from airtally.kit.clock import Clock
from airtally.kit.faults import NO_FAULTS, Faults
from airtally.tasks.task import Task, TaskResult
from airtally.tasks.tasks import Tasks

Check = Callable[[], None]


class TaskWorker(Worker):
    """A subclass says what the steps of a task are. One task at a time in each process."""

    thing: ClassVar[str] = "task"
    doing: ClassVar[str] = "This task"

    def __init__(
        self,
        tasks: Tasks,
        jobs: Jobs,
        clock: Clock,
        *,
        options: WorkerOptions | None = None,
        faults: Faults = NO_FAULTS,
    ) -> None:
        super().__init__(jobs, clock, options or WorkerOptions(workers=1))
        self._tasks = tasks
        self._faults = faults

    @abstractmethod
    def steps(self, task: Task, check: Check) -> Iterator[TaskResult]:
        """Do what is not among the results yet, step by step.

        `check` raises if the lease is lost or the process ends. It is called after each step anyway.
        """

    def work(self, job: Job, lease: KeptLease) -> None:
        def check() -> None:
            self.check(lease)

        for result in self.steps(self._tasks.begin(job), check):
            self._faults.reach("task.step")
            self._tasks.note_result(job, result)
            check()
        self._faults.reach("task.end")
        self._tasks.finish(job)

    def give_up(self, job: Job, reason: str) -> None:
        self._tasks.fail(job, reason)
