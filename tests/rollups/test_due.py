"""When a stale day is rebuilt, and when day files are merged."""

from __future__ import annotations

from airtally.rollups.due import RebuildPolicy
from airtally.streams import AD_EVENTS
from fixtures.clicks import QUARTERS, click, counted, month
from fixtures.rollups import FEW

DAILY = RebuildPolicy(groups_a_step=1 << 30)


def test_too_many_day_files_become_one_month_file(home):
    for day in (4, 5):
        home.send(AD_EVENTS, home.acme, [click(day)])
        home.flush()
        home.rebuild(AD_EVENTS, FEW)
    assert month(home).day_files == {}
    assert counted(home) == 22


def test_a_quiet_month_becomes_one_month_file(home, clock):
    home.send(AD_EVENTS, home.acme, [click(4)])
    home.flush()
    home.rebuild(AD_EVENTS, DAILY)
    clock.advance(600)
    home.rebuild(AD_EVENTS, DAILY)
    assert list(month(home).day_files) == ["2026-10-05"]
    clock.advance(3600)
    assert home.rebuild(AD_EVENTS, DAILY) == 2  # with the other account in its file
    assert month(home).day_files == {}
    assert month(home).month_file is month(home, "rival").month_file
    assert counted(home) == 21


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
