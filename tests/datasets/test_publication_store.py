"""When a dataset's job comes due, and the stamps that its files get."""

from __future__ import annotations

from contextlib import ExitStack

from airtally.kit.clock import MovableClock
from airtally.kit.faults import Faults
from fixtures.datasets import BEFORE_NOON_US, DatasetHome

NOON_US = BEFORE_NOON_US + 1_000_000


def test_a_shorter_interval_counts_at_once(dataset_home: DatasetHome) -> None:
    dataset_home.services.datasets.publisher.publication_store.enrol()
    dataset_home.close()
    quick = DatasetHome(dataset_home.home, dataset_home.clock, dataset_home._closing, dataset_interval=900.0)
    worker = quick.worker()
    worker.care()
    quick.events("a")
    quick.clock.advance(900)
    while worker.step() is not None:
        pass
    assert quick.published() == ["a"]


def test_a_late_commit_is_stamped_anew(tmp_path) -> None:
    """The stamp is later than the commit: a window that was read before it does not grow."""
    clock = MovableClock(BEFORE_NOON_US)

    class Slow(Faults):
        def reach(self, point: str) -> None:
            if point == "dataset.commit":
                clock.advance(3)

    with ExitStack() as closing:
        dataset_home = DatasetHome(tmp_path / "home", clock, closing, Slow())
        dataset_home.events("a")
        dataset_home.publish()
        [file] = dataset_home.files()
        assert file.published_at == BEFORE_NOON_US + 4_000_000
        assert file.name == "subscription_event_log_20261102T120003Z_000.csv"
        assert dataset_home.published() == ["a"]


def test_stamps_rise_though_the_clock_stands(dataset_home: DatasetHome) -> None:
    for name in "abc":
        dataset_home.events(name)
        dataset_home.publish()
    stamps = [file.published_at for file in dataset_home.files()]
    assert stamps == [NOON_US, NOON_US + 1_000_000, NOON_US + 2_000_000]
