"""The kinds of keys: what is made, and what can be imported in its place."""

from __future__ import annotations

import pytest

from airtally.accounts.accounts import Account
from airtally.accounts.keys import Keys
from airtally.accounts.kinds import KINDS, checked_cdn, kind_of
from airtally.kit.errors import BadRequest
from fixtures.postgres import on_sqlite


def test_forms_that_clients_rely_on(keys: Keys, account: Account) -> None:
    token = keys.create(account, "fouryousee").credentials["secret_token"]
    assert len(str(token)) == 32
    assert int(str(token), 16) >= 0
    assert str(token) == str(token).lower()
    tapjoy = str(keys.create(account, "tapjoy").credentials["reporting_api_key"])
    assert (len(tapjoy), tapjoy[-1]) == (168, "=")
    slate = keys.create(account, "slate").credentials
    assert str(slate["access_token"]).startswith("Atza|")
    assert str(slate["refresh_token"]).startswith("Atzr|")
    assert all(350 <= len(str(slate[name])) <= 2048 for name in ("access_token", "refresh_token"))


@on_sqlite
@pytest.mark.parametrize(
    ("kind", "imported"),
    [
        ("fouryousee", {}),
        ("fouryousee", {"token": "x"}),
        ("fouryousee", {"secret_token": ""}),
        ("fouryousee", {"secret_token": "two words"}),
        ("fouryousee", {"secret_token": "café"}),
        ("fouryousee", {"secret_token": 12}),
        ("fouryousee", {"secret_token": "x" * 2049}),
        ("fouryousee", {"secret_token": "x", "extra": "y"}),
        ("slate", {}),
        ("slate", {"client_id": "x"}),
        ("slate", {"client_id": "x", "access_token": "y"}),
        ("slate", {"refresh_token": "x"}),
        ("tapjoy", {"legacy_api_key": "x"}),
        ("scaleengine", {"api_key": "x", "secret_key": "y", "cdn": "no"}),
        ("scaleengine", {"api_key": "x", "secret_key": "y", "cdn": True}),
        ("scaleengine", {"api_key": "x", "secret_key": "y", "cdn": 0}),
    ],
)
def test_imports_that_cannot_be_used(keys: Keys, account: Account, kind: str, imported: dict[str, object]) -> None:
    with pytest.raises(BadRequest):
        keys.create(account, kind, imported=imported)


def test_slates_tokens_may_be_left_to_be_made(keys: Keys, account: Account) -> None:
    made = keys.create(account, "slate", imported={"client_id": "mine", "client_secret": "s"}).credentials
    assert made["client_id"] == "mine"
    assert str(made["access_token"]).startswith("Atza|")


@pytest.mark.parametrize(
    ("kind", "imported", "says"),
    [
        ("slate", {}, "it is empty; expected an object with access_token alone, or with client_id, client_secret"),
        ("slate", {"client_id": "x"}, "it lacks client_secret;"),
        ("slate", {"refresh_token": "x"}, "a refresh_token is of no use without client_id, client_secret;"),
        ("fouryousee", {"token": "x"}, "it has token; expected an object with secret_token$"),
        ("scaleengine", {"cdn": 1}, "it lacks api_key, secret_key; expected .* and, if there are any, cdn"),
        ("tapjoy", {"email": "x"}, "it lacks reporting_api_key; .* and, if there are any, email, legacy_api_key"),
    ],
)
def test_a_refused_import_says_what_is_needed(keys, account, kind, imported, says):
    with pytest.raises(BadRequest, match=says):
        keys.create(account, kind, imported=imported)


@pytest.mark.parametrize("kind", KINDS)
def test_no_two_keys_are_made_alike(kind: str) -> None:
    first, second = KINDS[kind].make(), KINDS[kind].make()
    assert list(first) == list(KINDS[kind].fields)
    assert not set(first.values()) & set(second.values())
    assert KINDS[kind].lookup in first


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_made_can_be_imported(kind: str) -> None:
    made = KINDS[kind].make()
    assert KINDS[kind].check(made) == made


def test_what_only_names_the_holder_is_no_secret() -> None:
    names = {"client_id": "a", "api_key": "b", "email": "c", "cdn": 4}
    assert KINDS["scaleengine"].secrets({**names, "secret_key": "d"}) == {"secret_key": "d"}


@pytest.mark.parametrize(("value", "cdn"), [(7, 7), ("7", 7), (2**53 - 1, 2**53 - 1)])
def test_a_cdn_number_may_be_written_as_digits(value: object, cdn: int) -> None:
    assert checked_cdn(value) == cdn


@pytest.mark.parametrize("value", [0, -1, 2**53, "", "-7", "7.0", "\u0667", True, None, 7.0, "1" * 17])
def test_what_is_no_cdn_number_is_refused(value: object) -> None:
    with pytest.raises(BadRequest, match="whole number above 0"):
        checked_cdn(value)


def test_an_unknown_kind_is_told_with_those_there_are() -> None:
    assert kind_of("tapjoy").name == "tapjoy"
    with pytest.raises(BadRequest, match="no kind of key 'letters': expected one of native, fouryousee"):
        kind_of("letters")
