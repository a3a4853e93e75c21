"""When a publication that failed is tried again."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from airtally.datasets.publication_store import JOB_KIND
from airtally.kit.clock import MovableClock
from airtally.kit.errors import StorageFull
from airtally.kit.faults import Faults
from airtally.kit.time import SECOND_US
from fixtures.datasets import BEFORE_NOON_US, HOUR, DatasetHome


class Full(Faults):
    """No file can be written."""

    def reach(self, point: str) -> None:
        if point == "files.write":
            raise StorageFull("no room")


def test_waits_grow_with_the_time_since_the_slot(tmp_path: Path) -> None:
    """Up to two minutes, however often it was put off; a disk that is full for hours is not tried every two seconds."""
    waits = []
    with ExitStack() as closing:
        dataset_home = DatasetHome(tmp_path / "home", MovableClock(BEFORE_NOON_US + SECOND_US), closing, Full())
        dataset_home.services.datasets.publisher.publication_store.enrol()
        dataset_home.events("a")
        dataset_home.clock.advance(4 * HOUR)
        worker, subject = dataset_home.worker(), str(dataset_home.row_id("data987"))
        for _ in range(40):
            while worker.step() is not None:
                pass
            job = dataset_home.services.jobs.find(JOB_KIND, subject)
            assert job is not None
            wait = (job.run_at - dataset_home.clock.now_us()) / SECOND_US
            waits.append(wait)
            dataset_home.clock.advance(wait)
        assert dataset_home.files() == []
    assert waits == sorted(waits)
    assert waits[0] == 2
    assert waits[-1] == 120
