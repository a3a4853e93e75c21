"""Publications that somebody asked for over HTTP, as tasks: every row acknowledged before the call is in them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import ClassVar

from airtally.accounts.accounts import Account
from airtally.datasets.dataset import Dataset
from airtally.datasets.files import DatasetFiles
from airtally.datasets.work import OnDemand
from airtally.jobs.queue import Jobs
from airtally.jobs.worker import GivenUp
from airtally.kit.clock import Clock
from airtally.kit.faults import NO_FAULTS, Faults
from airtally.tasks.task import Task, TaskResult
from airtally.tasks.tasks import NewTask, Tasks
from airtally.tasks.worker import Check, TaskWorker

KIND = "dataset"


def ask_for_publication(tasks: Tasks, account: Account, dataset: Dataset) -> Task:
    """Have a dataset published now."""
    return tasks.request(NewTask(KIND, "publish", str(dataset.row_id), f"dataset {dataset.id}", account.id))


class DatasetTaskWorker(TaskWorker):
    """First it notes which file is the newest, then it publishes: what came since are the files of the task."""

    name: ClassVar[str] = "dataset-tasks"
    kinds: ClassVar[tuple[str, ...]] = (KIND,)
    thing: ClassVar[str] = "publication"
    doing: ClassVar[str] = "This publication"

    def __init__(
        self,
        on_demand: OnDemand,
        files: DatasetFiles,
        tasks: Tasks,
        jobs: Jobs,
        clock: Clock,
        *,
        faults: Faults = NO_FAULTS,
    ) -> None:
        super().__init__(tasks, jobs, clock, faults=faults)
        self._on_demand = on_demand
        self._files = files

    def steps(self, task: Task, check: Check) -> Iterator[TaskResult]:
        """Raises GivenUp where the dataset is gone."""
        subject = self._on_demand.subject(int(task.subject))
        if subject is None:
            raise GivenUp("The dataset is gone")
        before = task.results[0]["after"] if task.results else self._files.last_number(subject.dataset)
        if not task.results:
            yield {"after": before}
        if len(task.results) < 2:
            self._on_demand.publish([subject], check, self._stopping)
            found = self._files.since(subject.dataset, before)
            yield {"files": [dataclasses.asdict(each.file) for each in found]}
