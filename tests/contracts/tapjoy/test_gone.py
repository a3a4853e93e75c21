"""Insights of a time whose rows and segments were removed: refused with the reason, not answered with zeros."""

from __future__ import annotations

from contextlib import closing

import pytest

from airtally.background import maintenance_of, rebuilder_of
from airtally.engine.child_process import InProcess
from airtally.kit.clock import MovableClock
from airtally.rollups.rebuild import EAGER
from airtally.services import Engines
from airtally.settings import Settings
from airtally.streams import AD_EVENTS
from fixtures.insights import A1, EARLIER_US, Advertiser, events
from fixtures.server import LiveServer


@pytest.mark.parametrize("parts_days", [5, 400])
def test_hours_that_are_no_longer_kept_are_refused(tmp_path, parts_days) -> None:
    kept = {"ad_events": 5, "ad_events_quarter": parts_days}
    server = LiveServer(Settings(home=tmp_path / "home", rate_limits=False, retain_days=kept), MovableClock(EARLIER_US))
    server.start()
    with closing(Advertiser(server, "first")) as network:
        network.send("ad_groups", A1)
        network.send("ad_events", *events("A1", "2026-11-20T05:00:00Z", "US", (50, 10, 4, "-12.50")))
        services = server.services
        services.engines.heavy.close()
        services.engines = Engines(services.engines.engine, InProcess())
        rebuilder, table = rebuilder_of(services), services.storage.lake.table(AD_EVENTS)
        services.storage.event_store.flush()
        rebuilder.rebuild(table, AD_EVENTS.rollups[0], EAGER)
        services.clock.advance(70 * 86_400)
        rebuilder.rebuild(table, AD_EVENTS.rollups[0], EAGER)
        maintenance_of(services, rebuilder).expire(table)
        rebuilder.expiry.expire(AD_EVENTS.rollups[0])
        network.token = network.new_token()
        day = "start_time=2026-11-20T00:00:00Z&end_time=2026-11-21T00:00:00Z"
        answer = network.get("A1", day)
        if parts_days == 400:
            assert sum(count for _, count in network.insights(day)["paid_clicks"]) == 10
        else:
            assert answer.status_code == 422
            (text,) = answer.json()["errors"]
            assert "between 2026-11-20T00:00:00" in text
            assert "Retention has removed the rows" in text
    server.stop()
