"""A job that dies at any of its points is done by the next process, and says once what was done."""

from __future__ import annotations

from contextlib import suppress

from airtally.erasure.records import ErasureFinding, ErasureState
from fixtures.erasures import DeathAt, ErasureHome
from fixtures.killed import Killed


def test_every_death_is_survived(erasure_home: ErasureHome) -> None:
    """The first process dies at the first point it comes to, the next at the second, until one comes through."""
    home = erasure_home
    home.devices({"hwid": "dev-1", "user_id": "ann"}, {"hwid": "dev-2", "user_id": "bob"})
    for day in ("2026-10-30", "2026-10-31", "2026-11-01"):
        home.events({"hwid": "dev-1", "time": f"{day}T10:00:00Z"}, {"hwid": "dev-2", "time": f"{day}T10:00:00Z"})
    home.send("app_events", {"evnt": "x", "user_id": "ann"}, {"evnt": "x", "user_id": "bob"})
    erasure = home.request(user_id="ann")
    deaths = 0
    while erasure.state is not ErasureState.ERASED:
        deaths += 1
        assert deaths < 200
        faults = DeathAt(deaths)
        home.abandon()
        home = home.again(faults)
        faults.armed = True
        try:
            erasure = home.run(erasure)
        except Killed:
            erasure = home.services.privacy.erasures.get(home.account, erasure.id)
        faults.armed = False
    assert deaths > 20
    found = home.findings(erasure)
    assert found["lake", "app_events"] == ErasureFinding("lake", "app_events", 3, 3)
    assert found["lake", "devices"] == ErasureFinding("lake", "devices", 1, 1)
    assert found["quarantine", "rows"] == ErasureFinding("quarantine", "rows", 1, 1)
    assert home.count() == 3
    assert {row["hwid"] for row in home.stored("app_events")} == {"dev-2"}


def test_every_death_of_a_deletion_is_survived(erasure_home: ErasureHome) -> None:
    home = erasure_home
    for account in (home.account, home.rival):
        home.devices({"hwid": "dev-1"}, account=account)
        home.events({"hwid": "dev-1"}, {"hwid": "dev-1", "time": "2026-10-30T10:00:00Z"}, account=account)
        home.services.files.write(f"reports/{account.slug}/1-x.gz", [b"report"])
    home.flush()
    home.rebuild()
    asked = home.services.privacy.closing.delete("acme")
    state, deaths = asked.state, 0
    while state is not ErasureState.ERASED:
        deaths += 1
        assert deaths < 200
        faults = DeathAt(deaths * 3)  # there are many points, most of them reads
        home.abandon()
        home = home.again(faults)
        faults.armed = True
        with suppress(Killed):
            home.worker.run_now(asked.id)
        faults.armed = False
        found = home.services.privacy.closing.deletion("acme")
        assert found is not None
        state = found.state
    assert deaths > 10
    findings = home.findings(found)
    assert findings["lake", "app_events"] == ErasureFinding("lake", "app_events", 2, 2)
    assert findings["lake", "devices"] == ErasureFinding("lake", "devices", 1, 1)
    assert home.stored("app_events") == []
    assert home.count(home.rival) == 2
    assert home.services.files.names("reports") == ["reports/rival/1-x.gz"]
