"""Lake actions as tasks: each table or rollup is a step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from airtally.jobs.queue import Jobs
from airtally.kit.clock import Clock
from airtally.kit.faults import NO_FAULTS, Faults
from airtally.lake_care.actions import LakeAction, LakeCare
from airtally.tasks.task import Task, TaskResult
from airtally.tasks.tasks import NewTask, Tasks
from airtally.tasks.worker import Check, TaskWorker

KIND = "lake"


def ask_for(tasks: Tasks, action: LakeAction, stream: str | None) -> Task:
    """Have a lake action done, to the table of one stream or to all."""
    target = f"stream {stream}" if stream else "all streams"
    return tasks.request(NewTask(KIND, action.value, stream or "", target))


class LakeTaskWorker(TaskWorker):
    name: ClassVar[str] = "lake-tasks"
    kinds: ClassVar[tuple[str, ...]] = (KIND,)

    def __init__(self, care: LakeCare, tasks: Tasks, jobs: Jobs, clock: Clock, *, faults: Faults = NO_FAULTS) -> None:
        super().__init__(tasks, jobs, clock, faults=faults)
        self._care = care

    def steps(self, task: Task, check: Check) -> Iterator[TaskResult]:  # noqa: ARG002 (a table is one step)
        done = {str(each.get("stream") or each.get("rollup")) for each in task.results}
        return self._care.run(LakeAction(task.action), task.subject or None, done)
