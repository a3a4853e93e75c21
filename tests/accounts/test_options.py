"""The options of keys: which kinds have them, and what is stored of them."""

from __future__ import annotations

import pytest

from airtally.accounts.accounts import Account
from airtally.accounts.keys import KeyOptions, Keys
from airtally.accounts.kinds import KINDS
from airtally.accounts.owners import Owners
from airtally.kit.errors import BadRequest, Conflict
from fixtures.keys import READ
from fixtures.postgres import on_sqlite


def test_scopes_and_options_belong_to_their_kinds(keys: Keys, account: Account) -> None:
    both = KeyOptions(frozenset({"read", "write"}))
    native = keys.authenticate("native", str(keys.create(account, "native", both).credentials["token"]))
    assert native is not None
    assert native.scopes == {"read", "write"}
    limited = KeyOptions(applications=("A1B2C-D3E4F",))
    pushwoosh = keys.authenticate("pushwoosh", str(keys.create(account, "pushwoosh", limited).credentials["auth"]))
    assert pushwoosh is not None
    assert pushwoosh.details["applications"] == ["A1B2C-D3E4F"]
    denied = keys.create(account, "scaleengine", KeyOptions(denied=("viewer.log",))).credentials
    engine = keys.authenticate("scaleengine", str(denied["api_key"]))
    assert engine is not None
    assert engine.details["denied"] == ["viewer.log"]


@on_sqlite
@pytest.mark.parametrize(
    ("kind", "wrong", "says"),
    [
        ("native", KeyOptions(), "needs a scope"),
        ("native", KeyOptions(frozenset({"operator"})), "operator"),
        ("fouryousee", READ, "--scope is not for fouryousee"),
        ("native", KeyOptions(frozenset({"read"}), static=True), "--static"),
        ("tapjoy", KeyOptions(applications=("A",)), "--application"),
        ("pushwoosh", KeyOptions(applications=("a b",)), "application 'a b'"),
        ("scaleengine", KeyOptions(denied=("VIEWER",)), "VIEWER"),
        ("letters", KeyOptions(), "no kind of key"),
    ],
)
def test_options_that_cannot_be_used_are_named(
    keys: Keys, account: Account, kind: str, wrong: KeyOptions, says: str
) -> None:
    with pytest.raises(BadRequest, match=says):
        keys.create(account, kind, wrong)
    assert keys.all() == []


def test_a_cdn_number_belongs_to_one_account(
    keys: Keys, account: Account, other_account: Account, owners: Owners
) -> None:
    first = keys.create(account, "scaleengine").credentials
    assert keys.create(account, "scaleengine").credentials["cdn"] == first["cdn"]
    assert keys.create(other_account, "scaleengine").credentials["cdn"] != first["cdn"]
    imported = {"cdn": str(first["cdn"]), "api_key": "theirs", "secret_key": "s"}
    with pytest.raises(Conflict, match="another account"):
        keys.create(other_account, "scaleengine", imported=imported)
    assert keys.authenticate("scaleengine", "theirs") is None
    assert owners.owner_of("cdn", str(first["cdn"])) == account.id
    assert keys.create(account, "scaleengine", imported=imported).credentials["cdn"] == first["cdn"]


def test_a_key_cannot_name_anothers_application(
    keys: Keys, account: Account, other_account: Account, owners: Owners
) -> None:
    owners.claim("application", "99999-88888", other_account.id)
    with pytest.raises(BadRequest, match="not this account's"):
        keys.create(account, "pushwoosh", KeyOptions(applications=("99999-88888",)))


def test_what_is_given_twice_is_stored_once_in_order() -> None:
    """And what is not given is not stored: a key of an earlier release has the same form."""
    given = KeyOptions(applications=("B", "A", "B"), denied=())
    assert given.details(KINDS["pushwoosh"]) == {"applications": ["A", "B"]}
    assert KeyOptions(static=True, offset_mode="page").details(KINDS["slate"]) == {
        "static": True,
        "offset_mode": "page",
    }
    assert KeyOptions().details(KINDS["slate"]) == {}


def test_what_a_caller_wrote_is_repeated_in_part() -> None:
    with pytest.raises(BadRequest) as caught:
        KeyOptions(offset_mode="x" * 1000).details(KINDS["slate"])
    assert "offset mode" in caught.value.message
    assert len(caught.value.message) < 150
