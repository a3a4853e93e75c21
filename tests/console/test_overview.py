"""The overview of an account: its figures equal what was sent, and what fails leads to where it is mended."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from ipaddress import ip_network
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import update

from airtally.accounts.permissions import UserRole
from airtally.database.tables import jobs
from airtally.kit.clock import MovableClock
from airtally.kit.time import DAY_US, to_datetime
from airtally.settings import Settings
from fixtures.accounts import NOW_US
from fixtures.console import Browser
from fixtures.native import Native
from fixtures.receiver import Receiver, receiver
from fixtures.server import LiveServer

__all__ = ["receiver"]

PASSWORD = "correct horse"
ZONE = "America/Sao_Paulo"
PLAY = {"player_id": 2, "media_id": 5}
Opened = Callable[[str], tuple[Native, Browser]]
FRAGMENT = {"HX-Request": "true"}


@pytest.fixture(scope="module")
def clock() -> MovableClock:
    return MovableClock(NOW_US)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, clock: MovableClock) -> Iterator[LiveServer]:
    settings = Settings(
        home=tmp_path_factory.mktemp("overview"), rate_limits=False, outgoing_allow=(ip_network("127.0.0.0/8"),)
    )
    server = LiveServer(settings, clock).start()
    yield server
    server.stop()


@pytest.fixture
def opened(server: LiveServer) -> Iterator[Opened]:
    """`opened(slug)`: a new account with a user who looks, closed at the test's end."""
    with ExitStack() as closing:

        def made(slug: str) -> tuple[Native, Browser]:
            native = Native(server, slug, timezone=ZONE, scopes=("read", "write", "admin"))
            closing.callback(native.http.close)
            server.services.access.users.create(
                native.account, username=slug, name=slug, email="a@x.org", password=PASSWORD, role=UserRole.ADMIN
            )
            return native, closing.enter_context(Browser(server, slug))

        yield made


def plays(days: dict[int, int]) -> bytes:
    """So many plays so many days ago, by the zone's clock at noon."""
    today = to_datetime(NOW_US).astimezone(ZoneInfo(ZONE)).date()
    rows = [
        PLAY | {"id": f"{ago}-{number}", "played_at": f"{today - timedelta(days=ago)}T12:00:00"}
        for ago, count in days.items()
        for number in range(count)
    ]
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def charts(page: str) -> dict[str, dict]:
    """The data of each chart by the beginning of its title."""
    found = [json.loads(each) for each in re.findall(r'<script type="application/json">(.*?)</script>', page)]
    return {each["title"].partition(":")[0]: each for each in found}


def troubles(page: str) -> dict[str, str]:
    """What needs somebody, and where it leads; "" for words without a link."""
    [listed] = re.findall(r'<ul class="troubles"[^>]*>(.*?)</ul>', page, re.DOTALL) or [""]
    items = [each.strip() for each in re.findall(r"<li>(.*?)</li>", listed, re.DOTALL)]
    links = [re.fullmatch(r'(?:<a href="([^"]*)">)?(.*?)(?:</a>)?', each) for each in items]
    return {html.unescape(each[2]): html.unescape(each[1] or "") for each in links if each}


def tiles(page: str) -> dict[str, str]:
    found = re.findall(r"<dt>([^<]+)</dt><dd>\s*(?:<a [^>]*>)?([^<]*)", page)
    return {name: value.strip() for name, value in found}


def test_an_account_without_rows_is_led_to_connect(opened: Opened) -> None:
    _, browser = opened("empty")
    page = browser.get("/accounts/empty/overview").text
    assert "No row has come yet." in page
    assert "Connect a client" in page
    assert charts(page) == {}
    assert troubles(page) == {}


def test_charts_have_what_was_sent_by_the_days_of_the_zone(opened: Opened) -> None:
    native, browser = opened("acme")
    other, stranger = opened("other")
    other.send("playlogs", plays({0: 17}))
    sent = {0: 3, 1: 5, 29: 7, 30: 11}
    assert native.send("playlogs", plays(sent)).json()["rejected"] == 0
    native.send("players", json.dumps({"player_id": 2, "name": "Lobby"}).encode())
    page = browser.get("/accounts/acme/overview").text
    shown = charts(page)
    assert list(shown) == ["playlogs", "players"]
    rows = shown["playlogs"]["series"][0]["values"]
    assert rows == [7, *[0] * 27, 5, 3]
    starts = [to_datetime(each * 1_000_000).astimezone(ZoneInfo(ZONE)) for each in shown["playlogs"]["times"]]
    assert {each.hour for each in starts} == {0}
    assert starts[-1].date() == to_datetime(NOW_US).astimezone(ZoneInfo(ZONE)).date()
    assert shown["playlogs"]["zone"] == ZONE
    assert "12 rows came today for the days before" in page  # 5 + 7: what is older than 30 days is not looked at
    assert tiles(page)["Rows stored"] == "27"
    hours = charts(browser.get("/accounts/acme/overview", params={"span": "day"}).text)
    assert len(hours["playlogs"]["times"]) == 24
    native.send("playlogs", plays({0: 4}))  # one more than before: three come again
    part = browser.get("/accounts/acme/overview", params={"part": "charts"}, headers=FRAGMENT).text
    assert "<html" not in part
    assert charts(part)["playlogs"]["series"][0]["values"] == [7, *[0] * 27, 5, 4]
    assert stranger.get("/accounts/acme/overview", headers=FRAGMENT).status_code == 404


def test_what_fails_is_shown_to_its_account_alone(server: LiveServer, opened: Opened, receiver: Receiver) -> None:
    native, browser = opened("trouble")
    _, stranger = opened("bystander")
    native.send("playlogs", plays({0: 1}) + b'{"player_id": "two"}\n' * 2)
    receiver.answers = [500]
    webhook = native.http.post("/api/v1/webhooks", json={"url": receiver.url}).json()["webhook"]["id"]
    native.http.post(f"/api/v1/webhooks/{webhook}/ping", json={})
    receiver.wait(1)
    with server.services.store.begin() as connection:
        job = server.services.jobs.add(connection, "nothing works on it", "trouble", native.account.id)
        failed = {"state": "failed", "error": "the disk was full", "updated_at": NOW_US}
        connection.execute(update(jobs).where(jobs.c.id == job).values(failed))
    page = ""
    while "message does not arrive" not in page:  # the answer of the receiver is noted after it came
        page = browser.get("/accounts/trouble/overview").text
    assert set(troubles(page)) == {
        "1 job failed in the last 7 days",
        "1 message does not arrive",
        "2 rows were refused in the last 7 days",
    }
    assert troubles(page)["2 rows were refused in the last 7 days"] == "/accounts/trouble/quarantine"
    assert troubles(page)["1 message does not arrive"] == "/accounts/trouble/deliveries"
    assert (tiles(page)["Rows refused"], tiles(page)["Jobs failed"], tiles(page)["Failing deliveries"]) == (
        "2",
        "1",
        "1",
    )
    listed = browser.get("/accounts/trouble/jobs", params={"state": "failed"}).text
    assert "the disk was full" in listed
    assert "the disk was full" not in browser.get("/accounts/trouble/jobs", params={"state": "done"}).text
    assert browser.submit(f"/accounts/trouble/jobs/{job}/cancel").status_code in {400, 409, 422}
    assert troubles(stranger.get("/accounts/bystander/overview").text) == {}
    assert stranger.submit(f"/accounts/bystander/jobs/{job}/retry").status_code == 404


def test_a_stream_that_fell_silent_is_named(opened: Opened, clock: MovableClock) -> None:
    native, browser = opened("silent")
    native.send("playlogs", plays({0: 1}))
    native.send("players", json.dumps({"player_id": 2, "name": "Lobby"}).encode())
    assert troubles(browser.get("/accounts/silent/overview").text) == {}
    clock.advance(DAY_US / 1_000_000 + 60)
    page = browser.get("/accounts/silent/overview").text
    assert troubles(page) == {"No row of playlogs has come for a day": "/accounts/silent/streams/playlogs"}
    assert "state-silent" in page
