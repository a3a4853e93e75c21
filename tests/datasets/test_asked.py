"""Publications that are asked for: taken over after a death, and asked for while another is under way."""

from __future__ import annotations

import pytest

from airtally.datasets.asked import DatasetTaskWorker, ask_for_publication
from airtally.kit.faults import Faults
from airtally.tasks.task import Task
from airtally.vendors.slate.services import slate_services
from fixtures.datasets import DatasetHome


class Died(BaseException):
    """As kill -9: nothing that follows is done."""


class DiesOnce(Faults):
    """At the point, the `skipped`-th time."""

    def __init__(self, point: str, skipped: int = 0) -> None:
        self._point, self._left = point, skipped

    def reach(self, point: str) -> None:
        if point == self._point:
            self._left -= 1
            if self._left < 0:
                raise Died


def asked(home: DatasetHome) -> Task:
    dataset = slate_services(home.services).catalogue.dataset(home.account, dataset="data987")
    return ask_for_publication(home.services.tasks, home.account, dataset)


def worker(home: DatasetHome, faults: Faults | None = None) -> DatasetTaskWorker:
    services = home.services
    return DatasetTaskWorker(
        services.on_demand(),
        services.datasets.files,
        services.tasks,
        services.jobs,
        home.clock,
        faults=faults or Faults(),
    )


@pytest.mark.parametrize(
    "faults",
    [DiesOnce("task.step"), DiesOnce("task.step", 1), DiesOnce("task.end")],
    ids=["begun", "published", "noted"],
)
def test_a_takeover_publishes_nothing_twice_and_names_all_files(dataset_home: DatasetHome, faults: Faults) -> None:
    """Wherever the process dies: before it publishes, before it notes the files, before it ends the task."""
    dataset_home.events("before")
    dataset_home.publish()
    dataset_home.clock.advance(5)
    dataset_home.events("a", "b")
    task = asked(dataset_home)
    with pytest.raises(Died):
        worker(dataset_home, faults).step()
    dataset_home.clock.advance(61)
    other = dataset_home.again()
    assert worker(other).step() == 0.0
    done = other.services.tasks.get("dataset", task.id)
    assert done.state == "done"
    (made,) = done.results[-1]["files"]
    assert [each.file_id for each in dataset_home.files()][1:] == [made["id"]]
    assert dataset_home.published() == ["a", "b", "before"]


def test_a_dataset_that_is_gone(dataset_home: DatasetHome) -> None:
    task = asked(dataset_home)
    with dataset_home.services.store.begin() as connection:
        for table in ("publications", "dataset_files"):
            connection.exec_driver_sql(f"DELETE FROM {table}")
        connection.exec_driver_sql("DELETE FROM datasets WHERE dataset_id = 'data987'")
    worker(dataset_home).step()
    failed = dataset_home.services.tasks.get("dataset", task.id)
    assert (failed.state, failed.error) == ("failed", "The dataset is gone")
