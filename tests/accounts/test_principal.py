"""Principals that are remembered for a second."""

from __future__ import annotations

import time

import pytest

from airtally.accounts import principal
from airtally.accounts.accounts import Account
from airtally.accounts.keys import Keys
from airtally.accounts.principal import Principal, PrincipalCache
from fixtures.keys import READ
from fixtures.postgres import on_sqlite


@on_sqlite
def test_only_one_caller_asks_again_before_all_must(
    keys: Keys, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = [100.0]
    monkeypatch.setattr(principal.time, "monotonic", lambda: moment[0])
    token = str(keys.create(account, "native", READ).credentials["token"])
    assert keys.cached("native", token) is None
    keys.authenticate("native", token)
    moment[0] += 0.75
    assert keys.cached("native", token) is None
    assert keys.cached("native", token) is not None
    moment[0] += 0.25
    assert keys.cached("native", token) is None


@on_sqlite
def test_memory_is_bounded(keys: Keys, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(principal, "_MAX_ENTRIES", 2)
    keys._cache = principal.PrincipalCache()
    all_tokens = [str(keys.create(account, "native", READ).credentials["token"]) for _ in range(3)]
    for token in all_tokens:
        keys.authenticate("native", token)
    assert [keys.cached("native", token) is not None for token in all_tokens] == [False, True, True]


def holder(expires_at: int | None = None) -> Principal:
    return Principal(Account(1, "acme", "Acme"), 7, "native", frozenset({"read"}), {}, expires_at)


def test_a_principal_is_remembered_until_it_expires() -> None:
    cache = PrincipalCache()
    cache.put("hash", holder(expires_at=100), time.monotonic(), cache.generation)
    assert cache.get("hash", 99) == holder(expires_at=100)
    assert cache.get("hash", 100) is None
    assert cache.get("other", 0) is None


def test_what_was_read_before_all_was_forgotten_is_not_remembered() -> None:
    """A key that was revoked meanwhile would be taken for a second more."""
    cache = PrincipalCache()
    generation = cache.generation
    cache.clear()
    cache.put("hash", holder(), time.monotonic(), generation)
    assert cache.get("hash", 0) is None
    cache.put("hash", holder(), time.monotonic(), cache.generation)
    assert cache.get("hash", 0) == holder()


def test_the_second_counts_from_before_the_store_was_read() -> None:
    cache = PrincipalCache()
    cache.put("hash", holder(), time.monotonic() - principal.TTL_SECONDS, cache.generation)
    assert cache.get("hash", 0) is None
