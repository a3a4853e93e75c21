"""Whatever the order of rows, flushes, compactions, adoptions, restarts and publications: each version once."""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airtally.engine.child_process import InProcess
from airtally.kit.clock import MovableClock
from airtally.storage.lake.compaction import EAGER, Compactor
from fixtures.datasets import BEFORE_NOON_US, HOUR, DatasetHome

#: What may happen next, at one of two processes on one home; `file` is a load that bypasses the buffers.
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["send", "send", "file", "flush", "compact", "publish", "publish", "kill", "hour", "day"]),
        st.integers(0, 1),
    ),
    min_size=4,
    max_size=18,
)


class World:
    """Two processes; one that was killed is another when it is next asked to do something."""

    def __init__(self, home: Path, closing: ExitStack) -> None:
        self.clock = MovableClock(BEFORE_NOON_US)
        self.home = home
        self.closing = closing
        self.desks = [DatasetHome(home, self.clock, closing)]
        self.desks.append(self.desks[0].again())
        self.sent: list[str] = []

    def do(self, what: str, which: int) -> None:
        dataset_home = self.desks[which]
        match what:
            case "send":
                dataset_home.events(*self._names(3))
            case "file":
                self._load(dataset_home)
            case "flush":
                dataset_home.services.storage.event_store.flush()
            case "compact":
                for table in dataset_home.services.storage.lake.existing():
                    Compactor(table, InProcess()).run(EAGER)
            case "publish":
                self.clock.advance(1)  # later than every row
                dataset_home.publish()
            case "kill":
                dataset_home.abandon()
                self.clock.advance(31)  # from then on nobody waits for its rows
                self.desks[which] = dataset_home.again()
            case "hour" | "day":
                self.clock.advance(HOUR if what == "hour" else 24 * HOUR)
                time.sleep(0.1)  # both say that they live, as they do all the time

    def _names(self, count: int) -> list[str]:
        names = [f"e{len(self.sent) + number:03}" for number in range(count)]
        self.sent += names
        return names

    def _load(self, dataset_home: DatasetHome) -> None:
        path = self.home.parent / f"rows-{len(self.sent)}.csv"
        path.write_text("business_id,subscription_event_id\n" + "".join(f"abc123,{n}\n" for n in self._names(2)))
        from airtally.streams import SUBSCRIPTIONS

        dataset_home.services.intake.files.load(SUBSCRIPTIONS, dataset_home.account, path)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@given(steps=STEPS)
@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
def test_each_version_is_in_one_file(steps: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as closing:
        world = World(Path(folder) / "home", closing)
        for what, which in steps:
            world.do(what, which)
        last = world.desks[0].again()
        last.services.storage.buffer.adopt_orphans()
        world.clock.advance(1)
        last.publish()
        assert last.published() == world.sent
        assert len(last.services.files.names("datasets")) == len(last.files())
