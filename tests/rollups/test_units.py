"""What one unit of a rebuild leaves in its month."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from airtally.database.tables import accounts
from airtally.kit.time import DAY_US, HOUR_US
from airtally.rollups.rebuild import EAGER
from airtally.rollups.units import days_of
from airtally.streams import VIEWER_SAMPLES
from fixtures.clicks import START


@pytest.mark.parametrize(("month", "last"), [("2026-02", 28), ("2028-02", 29), ("2026-11", 30), ("2026-12", 31)])
def test_the_days_of_a_month(month, last):
    assert days_of(month) == [f"{month}-{day:02}" for day in range(1, last + 1)]


def test_a_month_file_notes_the_zone_of_each_day(new_home, clock):
    """Days whose rows were removed keep the zone that they were cut in; the others are cut anew."""
    home = new_home(retain_days={"viewer_samples": 15})
    day = VIEWER_SAMPLES.rollups[0]
    account = home.account("acme")
    clock.advance(-20 * 86_400)
    sample = {"app": "a", "video_url": "v", "server": "s", "viewers": 1}
    for ago in (0, 10):
        clock.advance(ago * 86_400)
        home.send(VIEWER_SAMPLES, account, [sample | {"time": START + (9 + ago) * DAY_US + 5 * HOUR_US}])
    home.flush()
    home.rebuild(VIEWER_SAMPLES)
    clock.advance(10 * 86_400)
    assert home.maintenance().expire(home.services.storage.lake.table(VIEWER_SAMPLES)) == 1
    with home.services.store.begin() as connection:
        connection.execute(update(accounts).values(timezone="Asia/Kolkata"))
    assert home.rebuild(VIEWER_SAMPLES, EAGER) > 0
    month = home.services.storage.rollups.table(day).newest().months("acme")["2026-10"]
    assert [month.zone(f"2026-10-{number}") for number in (10, 20)] == ["UTC", "Asia/Kolkata"]
