"""Credentials read from headers, and whose they are."""

from __future__ import annotations

import asyncio

import pytest

from airtally.accounts.accounts import Account
from airtally.accounts.keys import Keys
from airtally.web.callers import Presented, bearer_of, caller_of
from fixtures.keys import READ


@pytest.mark.parametrize(
    ("header", "text"),
    [(b"Bearer abc", "abc"), (b"bearer abc", "abc"), (b"Basic abc", None), (b"", None), (b"Bearer \xff", "ÿ")],
)
def test_a_bearers_token_is_read_whatever_its_bytes(header: bytes, text: str | None) -> None:
    found = bearer_of("slate", "access")({b"authorization": header})
    assert found == (None if text is None else Presented("slate", text, "access"))


def test_without_the_header_nothing_is_presented() -> None:
    assert bearer_of("native")({b"x-token": b"Bearer abc"}) is None


@pytest.mark.parametrize("remembered", [False, True])
def test_a_key_and_a_token_of_it_are_told_apart(keys: Keys, account: Account, remembered: bool) -> None:
    made = keys.create(account, "slate").credentials
    token, client = str(made["access_token"]), str(made["client_id"])

    async def callers():
        asked = [Presented("slate", token, "access"), Presented("slate", token), Presented("slate", client)]
        return [await caller_of(keys, each) for each in asked]

    if remembered:
        asyncio.run(callers())
        assert keys.cached_token("slate", "access", token) is not None
    by_token, wrong_use, by_client = asyncio.run(callers())
    assert wrong_use is None
    assert by_token is not None
    assert by_client is not None
    assert by_token.account == by_client.account == account


def test_a_wrong_key_is_nobodys(keys: Keys, account: Account) -> None:
    keys.create(account, "native", READ)
    assert asyncio.run(caller_of(keys, Presented("native", "guess"))) is None
