"""A job that dies at any of its points is done by the next process, and says once what was done."""

from __future__ import annotations

from airtally.erasure.records import ErasureFinding, ErasureState
from airtally.kit.faults import Faults
from fixtures.erasures import ErasureHome
from fixtures.killed import Killed


class DeathAt(Faults):
    """Ends the process at the point that is reached as number `left`, once it is armed."""

    def __init__(self, left: int) -> None:
        self.left = left
        self.armed = False

    def reach(self, point: str) -> None:
        if self.armed:
            self.left -= 1
            if self.left == 0:
                self.armed = False
                raise Killed(point)


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
