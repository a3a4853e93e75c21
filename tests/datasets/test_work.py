"""When a publication that failed is tried again."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from airtally.datasets.publication_store import JOB_KIND
from airtally.kit.clock import MovableClock
from airtally.kit.errors import StorageFull
from airtally.kit.faults import Faults
from airtally.kit.time import SECOND_US
from fixtures.datasets import BEFORE_NOON_US, HOUR, Desk


class Full(Faults):
    """No file can be written."""

    def reach(self, point: str) -> None:
        if point == "files.write":
            raise StorageFull("no room")


def test_waits_grow_with_the_time_since_the_slot(tmp_path: Path) -> None:
    """Up to two minutes, however often it was put off; a disk that is full for hours is not tried every two seconds."""
    waits = []
    with ExitStack() as closing:
        desk = Desk(tmp_path / "home", MovableClock(BEFORE_NOON_US + SECOND_US), closing, Full())
        desk.services.datasets.publisher.publication_store.enrol()
        desk.events("a")
        desk.clock.advance(4 * HOUR)
        worker, subject = desk.worker(), str(desk.row_id("data987"))
        for _ in range(40):
            while worker.step() is not None:
                pass
            job = desk.services.jobs.find(JOB_KIND, subject)
            assert job is not None
            wait = (job.run_at - desk.clock.now_us()) / SECOND_US
            waits.append(wait)
            desk.clock.advance(wait)
        assert desk.files() == []
    assert waits == sorted(waits)
    assert waits[0] == 2
    assert waits[-1] == 120
