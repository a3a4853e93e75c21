from __future__ import annotations

from contextlib import suppress

import pytest
from sqlalchemy import select, update

from airtally.accounts.accounts import Account
from airtally.accounts.keys import KeyOptions, Keys
from airtally.accounts.users import Users
from airtally.database.store import MetadataStore
from airtally.database.tables import keys as table
from airtally.database.tables import tokens
from airtally.kit.attempts import ATTEMPT, Attempt
from airtally.kit.clock import MovableClock
from airtally.kit.errors import BadRequest, Conflict, NotFound
from fixtures.keys import READ, SHAPES, options, presented


@pytest.mark.parametrize("kind", SHAPES)
def test_a_key_of_every_kind_is_printed_as_declared_and_recognised(keys: Keys, account: Account, kind: str) -> None:
    made = keys.create(account, kind, options(kind))
    assert list(made.credentials) == SHAPES[kind]
    found = keys.authenticate(kind, presented(made.credentials, kind))
    assert found is not None
    assert (found.account, found.key_id, found.kind) == (account, made.id, kind)
    for other in set(SHAPES) - {kind}:
        assert keys.authenticate(other, presented(made.credentials, kind)) is None


@pytest.mark.parametrize("kind", SHAPES)
def test_what_is_printed_can_be_imported_elsewhere(
    keys: Keys, account: Account, other_account: Account, kind: str
) -> None:
    printed = keys.create(account, kind, options(kind)).credentials
    theirs = {name: value if name == "cdn" else f"{value}x" for name, value in printed.items() if name != "cdn"} | (
        {"cdn": 4711} if "cdn" in printed else {}
    )
    made = keys.create(other_account, kind, options(kind), imported=theirs)
    assert made.credentials == theirs
    found = keys.authenticate(kind, presented(theirs, kind))
    assert found is not None
    assert found.account == other_account


def test_a_name_says_whose_it_is(keys: Keys, account: Account) -> None:
    named = keys.create(account, "native", KeyOptions(READ.scopes, name="Łobby, 2nd floor"))
    nameless = keys.create(account, "native", READ)
    assert [keys.get(each.id, account).name for each in (named, nameless)] == ["Łobby, 2nd floor", None]
    keys.create(account, "native", KeyOptions(READ.scopes, name="Ł" * 100))
    for wrong in ("", " ", "a\nb", "a\0", "x" * 101, "\N{GRINNING FACE}" * 65):
        with pytest.raises(BadRequest, match="name of the key"):
            keys.create(account, "native", KeyOptions(READ.scopes, name=wrong))
    assert len(keys.all(account)) == 3


def test_no_secret_is_in_the_store(keys: Keys, account: Account) -> None:
    printed = [keys.create(account, kind, options(kind)).credentials for kind in SHAPES]
    with keys._store.read() as connection:
        kept = repr(connection.execute(select(table)).all()) + repr(connection.execute(select(tokens)).all())
    for credentials in printed:
        for name, value in credentials.items():
            assert name == "cdn" or str(value) not in kept


def test_a_known_key_cannot_be_imported_again(keys: Keys, account: Account, other_account: Account) -> None:
    made = keys.create(account, "fouryousee", imported={"secret_token": "f" * 32})
    for owner in (account, other_account):
        with pytest.raises(Conflict):
            keys.create(owner, "fouryousee", imported={"secret_token": "f" * 32})
    keys.revoke(made.id)
    with pytest.raises(Conflict):
        keys.create(account, "fouryousee", imported={"secret_token": "f" * 32})


def test_an_account_lists_and_revokes_its_own_only(keys: Keys, account: Account, other_account: Account) -> None:
    mine, theirs = keys.create(account, "tapjoy"), keys.create(other_account, "tapjoy")
    assert [key.id for key in keys.all(account)] == [mine.id]
    assert [key.id for key in keys.all()] == [mine.id, theirs.id]
    with pytest.raises(NotFound):
        keys.revoke(theirs.id, account)
    with pytest.raises(NotFound):
        keys.revoke(9999)
    assert keys.authenticate("tapjoy", str(theirs.credentials["reporting_api_key"])) is not None


@pytest.mark.parametrize("kind", SHAPES)
def test_of_a_key_for_a_moment_nothing_is_left(
    keys: Keys, account: Account, metadata: MetadataStore, clock: MovableClock, kind: str
) -> None:
    """Not even where what it was for fails; a process that dies leaves one that expires soon."""
    before = keys.create(account, kind, options(kind))
    with suppress(ZeroDivisionError), keys.lent(account, kind, options(kind)) as credentials:
        found = keys.authenticate(kind, presented(credentials, kind))
        assert found is not None
        keys.issue_token(found, "access", "issued meanwhile")
        assert len(keys.in_force(account, [kind], limit=9)) == 2
        clock.advance(301)
        assert [each.id for each in keys.in_force(account, [kind], limit=9)] == [before.id]
        clock.advance(-301)
        raise ZeroDivisionError
    assert keys.authenticate(kind, presented(credentials, kind)) is None
    assert [each.id for each in keys.all(account)] == [before.id]
    with metadata.read() as connection:
        assert set(connection.execute(select(tokens.c.key_id)).scalars()) <= {before.id}
    assert keys.create(account, kind, options(kind)).id > found.key_id


def test_keys_are_listed_by_kind(keys: Keys, account: Account, other_account: Account) -> None:
    made = {kind: keys.create(account, kind, options(kind)).id for kind in SHAPES}
    keys.create(other_account, "tapjoy")
    assert [each.id for each in keys.all(account, kinds=["tapjoy", "slate"])] == sorted([made["tapjoy"], made["slate"]])
    keys.revoke(made["tapjoy"])
    assert [each.id for each in keys.in_force(account, ["tapjoy", "slate"], limit=9)] == [made["slate"]]
    assert keys.in_force(account, SHAPES, limit=1)[0].id == min(set(made.values()) - {made["tapjoy"]})


def test_a_listing_shows_the_end_of_long_keys_only(keys: Keys, account: Account) -> None:
    made = keys.create(account, "native", READ)
    keys.create(account, "fouryousee", imported={"secret_token": "short"})
    assert [key.hint for key in keys.all()] == [str(made.credentials["token"])[-4:], ""]


SHORT: dict[str, dict[str, object]] = {
    "native": {"token": "short"},
    "fouryousee": {"secret_token": "short"},
    "slate": {"client_id": "amzn1.id", "client_secret": "short"},
    "tapjoy": {"reporting_api_key": "long enough to be one".replace(" ", "-"), "legacy_api_key": "short"},
    "scaleengine": {"cdn": 7, "api_key": "k", "secret_key": "short"},
    "pushwoosh": {"auth": "short"},
    "pushwoosh-device": {"auth": "short"},
}


@pytest.mark.parametrize("kind", SHAPES)
def test_a_short_secret_is_taken_and_named(keys: Keys, account: Account, kind: str) -> None:
    assert keys.create(account, kind, options(kind)).short == {}
    assert keys.short() == []
    made = keys.create(account, kind, options(kind), imported=SHORT[kind])
    assert list(made.short.values()) == [5]
    assert made.credentials[next(iter(made.short))] == "short"
    assert [(each.id, each.account, each.kind, each.length) for each in keys.short()] == [
        (made.id, account.slug, kind, 5)
    ]
    keys.revoke(made.id)
    assert keys.short() == []


def test_sixteen_characters_are_enough(keys: Keys, account: Account, clock: MovableClock) -> None:
    for length in (15, 16):
        keys.create(account, "fouryousee", imported={"secret_token": "x" * length}, expires_at=clock.now_us() + 1)
    assert [each.length for each in keys.short()] == [15]
    clock.advance(1)
    assert keys.short() == [], "expired"


def test_keys_of_earlier_releases_are_known_as_far_as_they_show(
    keys: Keys, account: Account, metadata: MetadataStore
) -> None:
    """By what is sealed, and by the end of the key that is shown of those of 16 characters or more."""
    made = {kind: keys.create(account, kind, options(kind), imported=SHORT[kind]).id for kind in SHORT}
    keys.create(account, "fouryousee")
    with metadata.begin() as connection:
        connection.execute(update(table).values(shortest_secret=None))
    found = {each.id: each.length for each in keys.short()}
    assert found == {
        made["native"]: 15,
        made["fouryousee"]: 15,
        made["slate"]: None,
        made["tapjoy"]: None,
        made["scaleengine"]: 5,
        made["pushwoosh"]: 15,
        made["pushwoosh-device"]: 15,
    }


def test_an_import_counts_as_a_guess_at_keys_of_others(keys: Keys, account: Account, other_account: Account) -> None:
    """Its answer tells whether anybody on the server has the key."""
    keys.create(other_account, "fouryousee", imported={"secret_token": "f" * 32})
    for secret, known in (("f" * 32, True), ("e" * 32, False)):
        attempt = Attempt()
        ATTEMPT.set(attempt)
        try:
            keys.create(account, "fouryousee", imported={"secret_token": secret})
        except Conflict:
            assert known
        assert attempt.failed
    attempt = Attempt()
    ATTEMPT.set(attempt)
    keys.create(account, "fouryousee")
    assert not attempt.failed
    ATTEMPT.set(None)


def test_an_account_has_a_bounded_number_of_valid_keys(
    keys: Keys, account: Account, other_account: Account, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airtally.accounts.keys.MOST_KEYS", 2)
    soon = clock.now_us() + 1_000_000
    made = [keys.create(account, "native", READ), keys.create(account, "native", READ, expires_at=soon)]
    for _ in made:
        with pytest.raises(Conflict, match="2 valid keys"):
            keys.create(account, "native", READ)
        keys.create(other_account, "fouryousee")
        clock.advance(1)
        keys.revoke(keys.create(account, "native", READ).id)
        keys.create(account, "native", READ, expires_at=clock.now_us() + 1_000_000)


def test_a_user_has_a_bounded_number_of_tokens_and_is_never_locked_out(
    keys: Keys, users: Users, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airtally.accounts.keys.MOST_TOKENS", 2)
    names = {"name": "Ana", "email": "ana@example.org", "password": "correct horse"}
    ana, bob = (users.create(account, username=username, **names) for username in ("ana", "bob"))
    theirs = keys.create(account, "native", user=bob).credentials["token"]
    made = [str(keys.create(account, "native", user=ana).credentials["token"]) for _ in range(4)]
    assert [keys.authenticate("native", each) is not None for each in made] == [False, False, True, True]
    assert keys.authenticate("native", str(theirs)) is not None
