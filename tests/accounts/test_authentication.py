"""Keys and tokens that callers present: known, expired, revoked, or never heard of."""

from __future__ import annotations

import time
from typing import Any

import pytest
from sqlalchemy import update

from airtally.accounts import principal
from airtally.accounts.accounts import Account
from airtally.accounts.keys import KeyOptions, Keys
from airtally.accounts.secrets import Secrets
from airtally.database.tables import keys as table
from airtally.kit.clock import MovableClock
from airtally.kit.errors import BadRequest, NotFound
from airtally.kit.time import SECOND_US
from fixtures.keys import READ, elsewhere
from fixtures.postgres import on_sqlite


def test_a_sealed_secret_is_read_back_and_a_hashed_one_compared(keys: Keys, account: Account) -> None:
    engine = keys.create(account, "scaleengine").credentials
    found = keys.authenticate("scaleengine", str(engine["api_key"]))
    assert found is not None
    assert keys.secret(found) == engine["secret_key"]
    assert found.details["cdn"] == engine["cdn"]
    slate = keys.create(account, "slate").credentials
    client = keys.authenticate("slate", str(slate["client_id"]))
    assert client is not None
    assert keys.secret_matches(client, str(slate["client_secret"]))
    assert not keys.secret_matches(client, "guessed")
    assert not keys.secret_matches(found, "guessed")
    with pytest.raises(NotFound):
        keys.secret(client)


def test_slates_access_token_lives_an_hour_unless_static(keys: Keys, account: Account, clock: MovableClock) -> None:
    made = keys.create(account, "slate").credentials
    static = keys.create(account, "slate", KeyOptions(static=True)).credentials
    for each in (made, static):
        assert keys.authenticate_token("slate", "access", str(each["access_token"])) is not None
        assert keys.authenticate_token("slate", "refresh", str(each["access_token"])) is None
    clock.advance(3600)
    assert keys.authenticate_token("slate", "access", str(made["access_token"])) is None
    assert keys.authenticate_token("slate", "access", str(static["access_token"])) is not None
    assert keys.authenticate_token("slate", "refresh", str(made["refresh_token"])) is not None


def test_issued_tokens_live_beside_each_other_and_die_with_their_key(
    keys: Keys, account: Account, clock: MovableClock
) -> None:
    made = keys.create(account, "tapjoy")
    found = keys.authenticate("tapjoy", str(made.credentials["reporting_api_key"]))
    assert found is not None
    keys.issue_token(found, "access", "a+b/c==")
    clock.advance(1800)
    keys.issue_token(found, "access", "second")
    assert keys.authenticate_token("tapjoy", "access", "a+b/c==") is not None
    clock.advance(1800)
    assert keys.authenticate_token("tapjoy", "access", "a+b/c==") is None
    assert keys.authenticate_token("tapjoy", "access", "second") is not None
    keys.revoke(made.id)
    assert keys.authenticate_token("tapjoy", "access", "second") is None


def test_a_revoked_key_is_refused_at_once_here_and_within_a_second_elsewhere(
    keys: Keys, account: Account, clock: MovableClock, secrets: Secrets
) -> None:
    made = keys.create(account, "native", READ)
    token = str(made.credentials["token"])
    other = elsewhere(keys, clock, secrets)
    assert keys.authenticate("native", token) is not None
    assert other.authenticate("native", token) is not None
    keys.revoke(made.id)
    keys.revoke(made.id)
    revoked = time.monotonic()
    assert keys.authenticate("native", token) is None
    asked = time.monotonic()
    while other.authenticate("native", token) is not None:
        assert asked - revoked < principal.TTL_SECONDS
        time.sleep(0.01)
        asked = time.monotonic()
    other.close()


def test_a_read_that_meets_a_revocation_is_not_remembered(
    keys: Keys, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = keys.create(account, "native", READ)
    token = str(made.credentials["token"])
    note = keys._last_use.note
    monkeypatch.setattr(keys._last_use, "note", lambda *_: None)
    put = keys._cache.put

    def late(*arguments: Any) -> None:
        keys.revoke(made.id)
        put(*arguments)

    monkeypatch.setattr(keys._cache, "put", late)
    assert keys.authenticate("native", token) is not None
    monkeypatch.setattr(keys._cache, "put", put)
    monkeypatch.setattr(keys._last_use, "note", note)
    assert keys.cached("native", token) is None
    assert keys.authenticate("native", token) is None


def test_an_expired_key_is_refused_even_if_remembered(keys: Keys, account: Account, clock: MovableClock) -> None:
    made = keys.create(account, "native", READ, expires_at=clock.now_us() + 60 * SECOND_US)
    token = str(made.credentials["token"])
    assert keys.authenticate("native", token) is not None
    assert keys.cached("native", token) is not None
    clock.advance(60)
    assert keys.cached("native", token) is None
    assert keys.authenticate("native", token) is None
    assert [key.state(clock.now_us()) for key in keys.all()] == ["expired"]
    with pytest.raises(BadRequest, match="expired already"):
        keys.create(account, "native", READ, expires_at=clock.now_us())


def test_keys_of_another_secret_key_are_unknown(keys: Keys, account: Account, clock: MovableClock) -> None:
    token = str(keys.create(account, "native", READ).credentials["token"])
    stranger = elsewhere(keys, clock, Secrets(b"x" * 40))
    assert stranger.authenticate("native", token) is None
    stranger.close()


@on_sqlite
def test_anything_may_be_presented(keys: Keys, account: Account) -> None:
    keys.create(account, "native", READ)
    for junk in ("", "\0", "é" * 1000, "'; DROP TABLE keys; --", "\udcff"):
        assert keys.cached("native", junk) is None
        assert keys.authenticate("native", junk) is None


def test_an_account_that_changes_is_seen_within_a_second(keys: Keys, account: Account) -> None:
    token = str(keys.create(account, "native", READ).credentials["token"])
    assert keys.authenticate("native", token) is not None
    with keys._store.begin() as connection:
        connection.execute(update(table).values(scopes='["write"]'))
    time.sleep(principal.TTL_SECONDS)
    found = keys.authenticate("native", token)
    assert found is not None
    assert found.scopes == {"write"}
