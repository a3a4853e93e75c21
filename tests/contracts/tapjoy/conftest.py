"""One server for the rows of the table: nothing in them changes what is stored."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airtally.kit.clock import MovableClock
from airtally.settings import Settings
from fixtures.insights import A1, A2, A3, B1, EARLIER_US, K1, K2, PUBLIC_URL, TABLE, Advertiser
from fixtures.server import LiveServer


@pytest.fixture(scope="session")
def tapjoy_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    settings = Settings(home=tmp_path_factory.mktemp("tapjoy") / "home", rate_limits=False, public_url=PUBLIC_URL)
    server = LiveServer(settings, MovableClock(EARLIER_US)).start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def fixture_accounts(tapjoy_server: LiveServer) -> Iterator[tuple[Advertiser, Advertiser]]:
    """Accounts 1 and 2 at 2026-11-22T10:30:00Z; `old_token` of the first was issued 3600 s ago."""
    first, second = Advertiser(tapjoy_server, "first", K1), Advertiser(tapjoy_server, "second", K2)
    first.old_token = first.token
    tapjoy_server.services.clock.advance(3600)
    first.token, second.token = first.new_token(), second.new_token()
    first.send("ad_groups", A1, A2, A3)
    first.send("ad_events", *TABLE)
    second.send("ad_groups", B1)
    yield first, second
    first.close()
    second.close()


@pytest.fixture
def network(fixture_accounts: tuple[Advertiser, Advertiser]) -> Advertiser:
    """Account 1."""
    return fixture_accounts[0]
