"""The checks of a server that runs: over HTTP, and with checks that hang or fail."""

from __future__ import annotations

import threading
import time

import pytest

from airtally.accounts.permissions import UserRole
from airtally.doctor.checks import CHECKS, SERVER_CHECKS
from airtally.doctor.doctor import Doctor
from airtally.doctor.finding import well
from airtally.doctor.premises import ServerPremises
from airtally.kit.errors import Unavailable


@pytest.fixture
def operator(client, api_server):
    """The client's headers with an operator's token."""
    access = api_server.services.access
    user = access.users.create(
        client.account,
        username=f"op-{client.account.slug}",
        name="Op",
        email="o@x.org",
        password="long enough",
        role=UserRole.OPERATOR,
    )
    return {"Authorization": f"Bearer {access.keys.create(client.account, 'native', user=user).credentials['token']}"}


def test_a_server_that_is_well(client, operator):
    client.send("playlogs", [{"player_id": 1, "media_id": 2, "played_at": "2026-11-01T08:00:00"}])
    found = client.http.get("/api/v1/doctor", headers=operator).json()
    assert [each["about"] for each in found["items"]] == [name for name in CHECKS if name != "ids"]
    assert [each for each in found["items"] if each["state"] != "ok" or each["mend"]] == []
    assert found["state"] == "ok"


def test_for_operators_alone(client):
    assert client.http.get("/api/v1/doctor").status_code == 403


def test_what_is_to_be_mended(api_server, client):
    """Found in the stores of the server that runs."""
    client.send("playlogs", [{"player_id": "x"}])
    premises = ServerPremises(api_server.services)
    premises.settings = premises.settings.with_(operations_token="short", quarantine_max=1)
    found = {each.about: each for each in Doctor(premises).findings()}
    assert {about: each.state for about, each in found.items() if each.state != "ok"} == {
        "keys": "warning",
        "quarantine": "warning",
    }
    assert client.account.slug in found["quarantine"].mend
    assert "AIRTALLY_OPERATIONS_TOKEN" in found["keys"].found


def test_one_that_hangs_and_one_that_fails(api_server):
    """The others are told in time; what hangs is begun once, whoever asks, and told once it has ended."""
    begun, let_go = [], threading.Event()

    def hangs(_):
        begun.append(time.monotonic())
        let_go.wait(60)
        return well("hangs", "after all")

    def fails(_):
        raise Unavailable("The store is away", hint="Start it")

    def dies(_):
        raise ZeroDivisionError

    checks = {"hangs": hangs, "fails": fails, "dies": dies, "engine": SERVER_CHECKS["engine"]}
    doctor = Doctor(ServerPremises(api_server.services), checks, seconds=0.5)
    for _ in range(2):
        since = time.monotonic()
        found = doctor.findings()
        assert time.monotonic() - since < 30
        assert [(each.about, each.state) for each in found] == [
            ("hangs", "error"),
            ("fails", "error"),
            ("dies", "error"),
            ("engine", "ok"),
        ]
        assert "has not ended within 0.5 seconds" in found[0].found
        assert (found[1].found, found[1].mend) == ("The store is away", "Start it")
        assert found[2].found == "ZeroDivisionError"
    assert len(begun) == 1
    let_go.set()
    doctor._running["hangs"].result(60)
    assert Doctor(ServerPremises(api_server.services), {"hangs": hangs}).findings() == [well("hangs", "after all")]
