"""Guesses of keys: where a wrong credential is noted, and how long its answer waits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from airtally.accounts import guessing
from airtally.accounts.guessing import FREE, MOST_SECONDS, Guesses
from airtally.accounts.keys import Keys
from airtally.accounts.kinds import Credentials
from airtally.accounts.owners import Owners
from airtally.kit import attempts
from airtally.kit.clock import SystemClock
from airtally.reports.report import SIGNATURE_NAME
from fixtures.native import Native
from fixtures.slate import BACK
from fixtures.viewers import API_KEY, CDN, SECRET, request, signed


class Watch:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def guesses(watch: Watch) -> Guesses:
    return Guesses(watch)


def test_the_first_wait_nothing_then_ever_more_up_to_a_limit(guesses: Guesses) -> None:
    waits = [guesses.failed("192.0.2.1") for _ in range(100)]
    assert waits[:FREE] == [0.0] * FREE
    assert waits[FREE:] == sorted(waits[FREE:])
    assert waits[FREE] > 0
    assert len(set(waits)) > 4
    assert waits[-1] == MOST_SECONDS


def test_one_address_does_not_slow_another(guesses: Guesses) -> None:
    for _ in range(50):
        guesses.failed("192.0.2.1")
    assert guesses.failed("192.0.2.2") == 0


def test_who_stops_guessing_is_answered_at_once_again(guesses: Guesses, watch: Watch) -> None:
    for _ in range(10_000):
        guesses.failed("192.0.2.1")
    watch.seconds += 60
    assert guesses.failed("192.0.2.1") == 0


def test_ten_a_minute_never_wait(guesses: Guesses, watch: Watch) -> None:
    for _ in range(100):
        watch.seconds += 6.01
        assert guesses.failed("192.0.2.1") == 0


def test_addresses_of_one_customer_count_as_one(guesses: Guesses) -> None:
    for each in range(30):
        guesses.failed(f"2001:db8:1:2::{each:x}")
    assert guesses.failed("2001:db8:1:2:ffff:ffff:ffff:ffff") == MOST_SECONDS
    assert guesses.failed("2001:db8:1:3::1") == 0


def test_memory_is_bounded_and_the_latest_are_kept(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guessing, "MAX_ADDRESSES", 5)
    guesses = Guesses(watch)
    for _ in range(30):
        guesses.failed("192.0.2.1")
    for each in range(4):
        guesses.failed(f"198.51.100.{each}")
    assert guesses.failed("192.0.2.1") == MOST_SECONDS
    for each in range(100):
        guesses.failed(f"198.51.100.{each}")
    assert len(guesses._counts) == 5


def bearer(token: object) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def noted(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """What the request noted last, if anything."""
    found: list[bool] = []

    def note(*, right: bool) -> None:
        found[:] = [right]

    monkeypatch.setattr(attempts, "note", note)
    return found


@dataclass
class Caller:
    native: Native
    http: httpx.Client
    keys: Keys
    owners: Owners
    noted: list[bool]

    def made(self, kind: str, **imported: object) -> Credentials:
        return self.keys.create(self.native.account, kind, imported=imported or None).credentials

    def note_of(self, method: str, path: str, **more: Any) -> bool | None:
        """Without a key, if `more` has none. None where no credential was looked at."""
        self.noted.clear()
        self.http.request(method, path, **more)
        return self.noted[0] if self.noted else None


def native_api(caller: Caller) -> None:
    for path in ("/api/v1/query", "/api/v1/streams/playlogs/events", "/api/v1/slate/accounts"):
        assert caller.note_of("POST", path, headers=bearer(caller.native.token), json={}) is not False
        assert caller.note_of("POST", path, headers=bearer("guessed"), json={}) is False
        assert caller.note_of("POST", path, json={}) is None


def fouryousee(caller: Caller) -> None:
    token = str(caller.made("fouryousee")["secret_token"])
    assert caller.note_of("GET", "/v1/players", headers={"Secret-Token": token}) is True
    assert caller.note_of("GET", "/v1/players", headers={"Secret-Token": "guessed"}) is False
    assert caller.note_of("GET", "/v1/players") is None


def tapjoy(caller: Caller) -> None:
    caller.made("tapjoy", reporting_api_key="abc", legacy_api_key="old", email="a@b.example")
    for text, right in (("abc", True), ("YWJj", True), ("Z3Vlc3NlZA==", False)):
        assert caller.note_of("POST", "/v1/oauth2/token", headers={"Authorization": f"Basic {text}"}) is right, text
    assert caller.note_of("GET", "/v1/ad_groups/x/insights", headers=bearer("guessed")) is False
    for key, email, right in (("old", "a", True), ("old", "b", False), ("new", "a", False), ("", "a", None)):
        query = {"api_key": key, "email": f"{email}@b.example"}
        assert caller.note_of("GET", "/reporting_data.json", params=query) is right, query


def scaleengine(caller: Caller) -> None:
    caller.made("scaleengine", api_key=API_KEY, secret_key=SECRET, cdn=CDN)
    now = SystemClock().now_us() // 1_000_000
    for changes, secret, right in (
        ({}, SECRET, True),
        ({}, "guessed", False),
        ({"cdn": CDN + 1}, SECRET, False),
        ({"api_key": "guessed"}, SECRET, False),
        ({"timestamp": 1}, SECRET, True),
        ({"api_key": None}, SECRET, None),
    ):
        text = signed(request(**{"timestamp": now} | changes), secret=secret)
        assert caller.note_of("POST", "/stable/", data={"json": text.decode()}) is right, changes


def pushwoosh(caller: Caller) -> None:
    token = caller.made("pushwoosh")["auth"]
    for auth, right in ((token, True), ("guessed", False), (None, None)):
        call = {"request": {"auth": auth, "application": "AAAAA-BBBBB"}}
        assert caller.note_of("POST", "/json/1.3/getTagStats", json=call) is right, auth
    device = {"request": {"application": "AAAAA-BBBBB", "hwid": "h"}}
    guess = {"Authorization": "Token guessed"}
    assert caller.note_of("POST", "/json/1.3/getTags", json=device, headers=guess) is False
    assert caller.note_of("POST", "/json/1.3/getTags", json=device) is None
    assert caller.owners.claim("application", "CCCCC-DDDDD", caller.native.account.id)
    for auth in ({}, {"auth": "of an SDK"}):
        call = {"request": {"application": "CCCCC-DDDDD", "hwid": "h"} | auth}
        assert caller.note_of("POST", "/json/1.3/getTags", json=call) is True


def slate(caller: Caller) -> None:
    mine, other = caller.made("slate"), caller.made("slate")
    assert caller.note_of("GET", "/apis/v2/accounts", headers=bearer(mine["access_token"])) is True
    assert caller.note_of("GET", "/apis/v2/accounts", headers=bearer("guessed")) is False
    renewed = {name: mine[name] for name in ("client_id", "client_secret", "refresh_token")}
    renewed["grant_type"] = "refresh_token"
    for changes, right in (
        ({}, True),
        ({"client_id": "guessed"}, False),
        ({"client_secret": "guessed"}, False),
        ({"refresh_token": "guessed"}, False),
        ({"refresh_token": other["refresh_token"]}, False),
        ({"grant_type": "authorization_code", "code": "guessed", "redirect_uri": BACK}, False),
        ({"client_id": ""}, None),
    ):
        assert caller.note_of("POST", "/auth/o2/token", data=renewed | changes) is right, changes


def links_and_sessions(caller: Caller) -> None:
    file = "/acme/1-0123456789abc.gz"
    assert caller.note_of("GET", file) is None
    assert caller.note_of("GET", file, params={SIGNATURE_NAME: "0" * 40}) is False
    assert caller.note_of("GET", f"/files/tags/{'0' * 32}.csv") is False
    for path in ("/", "/admin/reports_api.php"):
        assert caller.note_of("GET", path) is None
        assert caller.note_of("GET", path, headers={"Cookie": "airtally_session=guessed"}) is False


def test_every_api_notes_a_wrong_credential_and_none_a_right_or_missing_one(start_server, noted):
    server = start_server()
    native, services = Native(server, "acme"), server.services
    with native.http, httpx.Client(base_url=server.url) as http:
        caller = Caller(native, http, services.access.keys, services.access.owners, noted)
        for api in (native_api, fouryousee, tapjoy, scaleengine, pushwoosh, slate, links_and_sessions):
            api(caller)
