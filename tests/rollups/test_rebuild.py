"""Which segments are built, when, and what a crash or another process in between leaves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airtally.kit.faults import Faults
from airtally.kit.time import DAY_US
from airtally.query.question import Metric, Question
from airtally.rollups import build, segment_files
from airtally.rollups.rebuild import EAGER, RebuildPolicy
from airtally.streams import AD_EVENTS
from fixtures.clicks import QUARTERS, START, click, counted, month

DAILY = RebuildPolicy(groups_a_step=1 << 30)


def test_a_month_is_one_file_an_account(home):
    assert [len(list(month(home, slug).files)) for slug in ("acme", "rival")] == [1, 1]
    assert (counted(home), counted(home, "rival")) == (20, 1)
    assert home.rebuild(AD_EVENTS) == 0


def test_a_changed_day_gets_a_file_of_its_own(home):
    home.send(AD_EVENTS, home.acme, [click(4), click(5)])
    home.flush()
    assert home.rebuild(AD_EVENTS, replace(EAGER, merge_seconds=1e9)) == 1
    assert sorted(month(home).day_files) == ["2026-10-05", "2026-10-06"]
    assert list(month(home, "rival").day_files) == []
    assert counted(home) == 22


def test_a_month_file_is_not_called_newer_than_a_day_that_waits(home, clock):
    """A month is put together while one of its days has changed and is not due yet."""
    rebuilder, table = home.rebuilder(), home.services.storage.lake.table(AD_EVENTS)
    rebuilder.rebuild(table, QUARTERS, DAILY)
    home.send(AD_EVENTS, home.acme, [click(7)])
    home.flush()
    assert rebuilder.rebuild(table, QUARTERS, DAILY) == 0  # seen just now
    clock.advance(61)
    home.send(AD_EVENTS, home.acme, [click(8)])
    home.flush()
    assert rebuilder.rebuild(table, QUARTERS, replace(DAILY, day_files=0)) == 1
    assert counted(home) == 22


def test_late_rows_of_long_ago_change_their_day(home):
    home.send(AD_EVENTS, home.acme, [click(-200), click(0, count=5)])
    assert counted(home) == 21
    home.flush()
    home.rebuild(AD_EVENTS)
    assert counted(home) == 21
    old = Question(AD_EVENTS, "acme", (Metric("events"),), start_us=START - 200 * DAY_US, end_us=START - 199 * DAY_US)
    assert home.ask(old) == [{"events": 1}]


def test_a_rebuild_that_dies_leaves_the_old_segments(home, monkeypatch):
    home.send(AD_EVENTS, home.acme, [click(4)])
    home.flush()

    def broken(*_):
        raise OSError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(segment_files, "_put_segments", broken)
        with pytest.raises(OSError, match="full"):
            home.rebuild(AD_EVENTS)
    assert counted(home) == 21
    home.restart()
    assert counted(home) == 21
    home.rebuild(AD_EVENTS)
    assert counted(home) == 21


def test_everything_made_anew(home):
    home.rebuilder().expiry.drop_all(QUARTERS)
    assert home.services.storage.rollups.table(QUARTERS).newest().months("acme") == {}
    assert counted(home) == 20
    assert home.rebuild(AD_EVENTS) == 2
    assert counted(home) == 20


def test_no_segments_without_an_account(home):
    assert home.services.storage.rollups.table(QUARTERS).newest().months("nobody") == {}
    assert counted(home, "nobody") == 0


def test_faults_are_not_hidden(new_home):
    class Full(Faults):
        def reach(self, point: str) -> None:
            if point == "lake.flush":
                raise OSError(28, "No space left on device")

    home = new_home()
    home.send(AD_EVENTS, home.account("acme"), [click(4)])
    home.services.storage.lake.table(AD_EVENTS).faults = Full()
    with pytest.raises(Exception, match=r"full|room"):
        home.flush()
    assert counted(home) == 1


def test_what_cannot_be_made_does_not_hold_up_others(home, monkeypatch):
    home.send(AD_EVENTS, home.acme, [click(4)])
    home.send(AD_EVENTS, home.rival, [click(4)])
    home.flush()
    built = build.build

    def broken(engine, task, scratch):
        if "acme" in task.days:
            raise OSError("a figure too large")
        return built(engine, task, scratch)

    monkeypatch.setattr(build, "build", broken)
    with pytest.raises(OSError, match="too large"):
        home.rebuild(AD_EVENTS)
    segments, lake = (
        home.services.storage.rollups.table(QUARTERS).newest(),
        home.services.storage.lake.table(AD_EVENTS).newest(),
    )
    assert segments.months("rival")["2026-10"].source_version("2026-10-05") == lake.version
    assert (counted(home), counted(home, "rival")) == (21, 2)
