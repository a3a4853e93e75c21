from __future__ import annotations

from airtally.erasure.records import ErasureFinding, ErasureState
from airtally.erasure.rollup_days import SOON
from fixtures.erasures import ErasureHome


def test_a_person_is_gone_from_every_store(erasure_home: ErasureHome) -> None:
    home = erasure_home
    home.devices({"hwid": "dev-1", "user_id": "ann", "email": "Ann@x.org"}, {"hwid": "dev-2", "user_id": "bob"})
    home.tags(**{"dev-1": "likes cats", "dev-2": "likes dogs"})
    home.events({"hwid": "dev-1", "id": "a"}, {"user_id": "ann"}, {"hwid": "dev-2"}, {"user_id": "bob"})
    home.events({"hwid": "dev-1"}, account=home.rival)
    home.flush()
    home.events({"user_id": "ann", "time": "2026-11-02T10:00:00Z"})
    home.send("app_events", {"application": home.application, "evnt": "x", "user_id": "ann"})
    assert home.preview(user_id="ann") == {
        ("lake", "app_events"): 3,
        ("lake", "devices"): 1,
        ("lake", "device_tags"): 1,
        ("quarantine", "rows"): 1,
    }
    erasure = home.erase(user_id="ann")
    assert erasure.state is ErasureState.ERASED, erasure
    assert home.findings(erasure) == {
        ("lake", "app_events"): ErasureFinding("lake", "app_events", 3, 3),
        ("lake", "devices"): ErasureFinding("lake", "devices", 1, 1),
        ("lake", "device_tags"): ErasureFinding("lake", "device_tags", 1, 1),
        ("rollups", "app_events_quarter"): ErasureFinding("rollups", "app_events_quarter", 2, 0, 2, SOON),
        ("quarantine", "rows"): ErasureFinding("quarantine", "rows", 1, 1),
    }
    assert home.count() == 2
    assert home.count(home.rival) == 1
    assert {row["hwid"] for row in home.stored("devices")} == {"dev-2"}
    assert {row["hwid"] for row in home.stored("device_tags")} == {"dev-2"}
    assert home.preview(user_id="ann") == {}
    home.rebuild()
    done = home.finish(erasure)
    assert done.state is ErasureState.DONE, done
    assert home.findings(done)["rollups", "app_events_quarter"] == ErasureFinding("rollups", "app_events_quarter", 2, 2)
    assert home.mentions("Ann@x.org") == []
    assert home.mentions("likes cats") == []
    assert home.mentions('"ann"') == []
    home.events({"hwid": "dev-1"})
    assert home.count() == 3
