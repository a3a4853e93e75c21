"""Of two changes of a rollup's files from the same version, one is made."""

from __future__ import annotations

import pytest

from airtally.rollups.commit import replace_files
from airtally.storage.lake.delta import CommitConflict
from airtally.streams import AD_EVENTS
from fixtures.clicks import QUARTERS, click, counted


def test_two_that_make_the_same_month_make_it_once(home):
    home.send(AD_EVENTS, home.acme, [click(4)])
    home.flush()
    table = home.services.storage.rollups.table(QUARTERS)
    view = table.newest()
    home.rebuild(AD_EVENTS)
    with pytest.raises(CommitConflict):
        replace_files(home.services.storage.rollups, table, view, list(view.months("acme")["2026-10"].files), [])
    assert counted(home) == 21
