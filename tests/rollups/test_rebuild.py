"""Which segments are built, when, and what a crash or another process in between leaves."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from airtally.kit.errors import LimitExceeded
from airtally.kit.faults import Faults
from airtally.kit.time import DAY_US, SECOND_US, day_start_us
from airtally.query.buckets import Bucket
from airtally.query.question import Function, Metric, Question
from airtally.rollups import build
from airtally.rollups.commit import replace_files
from airtally.rollups.rebuild import EAGER, RebuildPolicy
from airtally.storage.lake.delta import CommitConflict
from airtally.streams import AD_EVENTS
from fixtures.rollups import FEW

START = day_start_us(date(2026, 10, 1))
(QUARTERS,) = AD_EVENTS.rollups
DAILY = RebuildPolicy(units_a_step=1 << 30)


def click(day: int, **more: object) -> dict[str, object]:
    return {"ad_group_id": "g", "time": START + day * DAY_US + SECOND_US, "kind": "paid_click"} | more


def counted(home, slug: str = "acme", days: int = 31) -> int:
    question = Question(
        AD_EVENTS, slug, (Metric("clicks", Function.SUM, "count"), Metric("events")), start_us=START,
        end_us=START + days * DAY_US, bucket=Bucket.NONE,
    )  # fmt: skip
    rows = Question(AD_EVENTS, slug, (Metric("events"),), start_us=START, end_us=START + days * DAY_US)
    assert home.ask(rows) == home.ask_rows(rows)
    return home.ask(question)[0]["events"]


def month(home, slug: str = "acme"):
    return home.services.storage.rollups.table(QUARTERS).view().months(slug)["2026-10"]


@pytest.fixture
def home(warehoused):
    home = warehoused()
    home.acme, home.rival = home.account("acme"), home.account("rival")
    home.send(AD_EVENTS, home.acme, [click(day) for day in range(20)])
    home.send(AD_EVENTS, home.rival, [click(3)])
    home.flush()
    home.rebuild(AD_EVENTS)
    return home


def test_a_month_is_one_file_an_account(home):
    assert [len(list(month(home, slug).files)) for slug in ("acme", "rival")] == [1, 1]
    assert (counted(home), counted(home, "rival")) == (20, 1)
    assert home.rebuild(AD_EVENTS) == 0


def test_a_first_month_of_more_rows_than_are_taken_at_once_is_one_file(warehoused, monkeypatch):
    monkeypatch.setattr(build, "_ROWS_AT_ONCE", 6)
    home = warehoused()
    home.send(AD_EVENTS, home.account("acme"), [click(day) for day in range(20)])
    home.flush()
    assert home.rebuild(AD_EVENTS) == 1
    assert len(list(month(home).files)) == 1
    assert counted(home) == 20


def test_a_changed_day_gets_a_file_of_its_own(home):
    home.send(AD_EVENTS, home.acme, [click(4), click(5)])
    home.flush()
    assert home.rebuild(AD_EVENTS, replace(EAGER, merge_seconds=1e9)) == 1
    assert sorted(month(home).day_files) == ["2026-10-05", "2026-10-06"]
    assert list(month(home, "rival").day_files) == []
    assert counted(home) == 22


def test_too_many_day_files_become_one_month_file(home):
    for day in (4, 5):
        home.send(AD_EVENTS, home.acme, [click(day)])
        home.flush()
        home.rebuild(AD_EVENTS, FEW)
    assert month(home).day_files == {}
    assert counted(home) == 22


@pytest.mark.parametrize("kept", [True, False])
def test_a_large_month_is_made_in_groups_of_days(home, monkeypatch, kept):
    monkeypatch.setattr(build, "_ROWS_AT_ONCE", 3)
    if not kept:
        home.rebuilder().expiry.drop_all(QUARTERS)
    home.send(AD_EVENTS, home.acme, [click(day) for day in range(2, 20)])
    home.flush()
    home.rebuild(AD_EVENTS)
    assert month(home).day_files == {}
    assert counted(home) == 38


def test_days_that_do_not_fit_into_memory_together_are_made_by_halves(home, monkeypatch):
    figures, asked = build._cell_figures, []

    def scarce(engine, task, days):
        asked.append(len(days))
        if len(days) > 2:
            raise LimitExceeded("too much")
        return figures(engine, task, days)

    monkeypatch.setattr(build, "_cell_figures", scarce)
    home.send(AD_EVENTS, home.acme, [click(day) for day in range(2, 20)])
    home.flush()
    home.rebuild(AD_EVENTS)
    assert max(asked) == 18
    assert counted(home) == 38


def test_a_quiet_month_becomes_one_month_file(home, clock):
    home.send(AD_EVENTS, home.acme, [click(4)])
    home.flush()
    home.rebuild(AD_EVENTS, DAILY)
    clock.advance(600)
    home.rebuild(AD_EVENTS, DAILY)
    assert list(month(home).day_files) == ["2026-10-05"]
    clock.advance(3600)
    assert home.rebuild(AD_EVENTS, DAILY) == 1
    assert month(home).day_files == {}
    assert counted(home) == 21


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


def test_a_day_that_never_rests_is_made_all_the_same(home, clock):
    rebuilder, table = home.rebuilder(), home.services.storage.lake.table(AD_EVENTS)
    rebuilder.rebuild(table, QUARTERS, DAILY)
    made = 0
    for _ in range(14):
        home.send(AD_EVENTS, home.acme, [click(7)])
        home.flush()
        made += rebuilder.rebuild(table, QUARTERS, DAILY)
        clock.advance(50)
    assert made == 1
    assert counted(home) == 34


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
        patched.setattr(build, "_write_rows", broken)
        with pytest.raises(OSError, match="full"):
            home.rebuild(AD_EVENTS)
    assert counted(home) == 21
    home.restart()
    assert counted(home) == 21
    home.rebuild(AD_EVENTS)
    assert counted(home) == 21


def test_two_that_make_the_same_month_make_it_once(home):
    home.send(AD_EVENTS, home.acme, [click(4)])
    home.flush()
    table = home.services.storage.rollups.table(QUARTERS)
    view = table.view()
    home.rebuild(AD_EVENTS)
    with pytest.raises(CommitConflict):
        replace_files(home.services.storage.rollups, table, view, list(view.months("acme")["2026-10"].files), [])
    assert counted(home) == 21


def test_everything_made_anew(home):
    home.rebuilder().expiry.drop_all(QUARTERS)
    assert home.services.storage.rollups.table(QUARTERS).view().months("acme") == {}
    assert counted(home) == 20
    assert home.rebuild(AD_EVENTS) == 2
    assert counted(home) == 20


def test_what_the_log_lost_counts_as_changed(home):
    """A process whose reading, and the store's, end before the commits that are left."""
    home.send(AD_EVENTS, home.acme, [click(4), click(25)])
    home.flush()
    table = home.services.storage.lake.table(AD_EVENTS)
    handle = table.open()
    handle.create_checkpoint()
    for version in range(handle.version() + 1):
        (table.storage.folder / "_delta_log" / f"{version:020d}.json").unlink()
    home.restart()
    assert counted(home) == 22
    assert home.rebuild(AD_EVENTS) > 0
    assert counted(home) == 22
    assert home.rebuild(AD_EVENTS) == 0


def test_the_log_is_read_before_it_is_cleaned(home):
    home.send(AD_EVENTS, home.acme, [click(4)])
    home.flush()
    rebuilder, table = home.rebuilder(), home.services.storage.lake.table(AD_EVENTS)
    rebuilder.expiry.read_log(table)
    home.restart()
    changes = home.services.storage.rollups.changed_days(home.services.storage.lake.table(AD_EVENTS))
    view = home.services.storage.lake.table(AD_EVENTS).view()
    assert changes.of_account("acme", view)["2026-10-05"] == view.version


def test_commits_of_others_count_too(home):
    """Of a writer that does not say what it changed."""
    table = home.services.storage.lake.table(AD_EVENTS)
    table._changed = lambda _: {}
    home.send(AD_EVENTS, home.acme, [click(4)])
    home.flush()
    assert counted(home) == 21
    home.rebuild(AD_EVENTS)
    assert counted(home) == 21


def test_no_segments_without_an_account(home):
    assert home.services.storage.rollups.table(QUARTERS).view().months("nobody") == {}
    assert counted(home, "nobody") == 0


def test_faults_are_not_hidden(warehoused):
    class Full(Faults):
        def reach(self, point: str) -> None:
            if point == "lake.flush":
                raise OSError(28, "No space left on device")

    home = warehoused()
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
        if task.rows.account == "acme":
            raise OSError("a figure too large")
        return built(engine, task, scratch)

    monkeypatch.setattr(build, "build", broken)
    with pytest.raises(OSError, match="too large"):
        home.rebuild(AD_EVENTS)
    segments, lake = (
        home.services.storage.rollups.table(QUARTERS).view(),
        home.services.storage.lake.table(AD_EVENTS).view(),
    )
    assert segments.months("rival")["2026-10"].source_version("2026-10-05") == lake.version
    assert (counted(home), counted(home, "rival")) == (21, 2)


def test_a_lake_put_back_to_an_earlier_state(home, tmp_path):
    """The metadata store is newer than the lake, as after a restore in the wrong order."""
    import shutil

    saved = tmp_path / "saved"
    home.close()
    lake = home._settings.home / "lake"
    shutil.copytree(lake, saved)
    home.open()
    for day in (4, 5, 6):
        home.send(AD_EVENTS, home.acme, [click(day)])
        home.flush()
        home.rebuild(AD_EVENTS)
    home.close()
    shutil.rmtree(lake / "ad_events")
    shutil.copytree(saved / "ad_events", lake / "ad_events")
    home.open()
    assert counted(home) == 20
    home.send(AD_EVENTS, home.acme, [click(4)])
    home.flush()
    assert counted(home) == 21
    home.rebuild(AD_EVENTS)
    assert counted(home) == 21
    assert home.rebuild(AD_EVENTS) == 0
