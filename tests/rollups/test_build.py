"""Months of more rows than one statement may take, and days that need too much memory together."""

from __future__ import annotations

import pytest

from airtally.kit.errors import LimitExceeded
from airtally.rollups import build
from airtally.streams import AD_EVENTS
from fixtures.clicks import QUARTERS, click, counted, month


def test_a_first_month_of_more_rows_than_are_taken_at_once_is_one_file(new_home, monkeypatch):
    monkeypatch.setattr(build, "_ROWS_AT_ONCE", 6)
    home = new_home()
    home.send(AD_EVENTS, home.account("acme"), [click(day) for day in range(20)])
    home.flush()
    assert home.rebuild(AD_EVENTS) == 1
    assert len(list(month(home).files)) == 1
    assert counted(home) == 20


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
