from __future__ import annotations

import time
from typing import Any

import pytest
from sqlalchemy import select, update

from airtally.accounts import principal
from airtally.accounts.accounts import Account
from airtally.accounts.keys import KeyOptions, Keys
from airtally.accounts.kinds import KINDS
from airtally.accounts.owners import Owners
from airtally.accounts.secrets import Secrets
from airtally.database.store import MetadataStore
from airtally.database.tables import keys as table
from airtally.database.tables import tokens
from airtally.kit.clock import MovableClock
from airtally.kit.errors import BadRequest, Conflict, NotFound
from airtally.kit.time import SECOND_US
from fixtures.postgres import on_sqlite

SHAPES = {
    "native": ["token"],
    "fouryousee": ["secret_token"],
    "slate": ["client_id", "client_secret", "refresh_token", "access_token"],
    "tapjoy": ["reporting_api_key"],
    "scaleengine": ["cdn", "api_key", "secret_key"],
    "pushwoosh": ["auth"],
    "pushwoosh-device": ["auth"],
}
READ = KeyOptions(frozenset({"read"}))


def options(kind: str) -> KeyOptions:
    return READ if kind == "native" else KeyOptions()


def presented(credentials: dict[str, Any], kind: str) -> str:
    return str(credentials[KINDS[kind].lookup])


def elsewhere(keys: Keys, clock: MovableClock, secrets: Secrets) -> Keys:
    """The keys as another process sees them: the same store, nothing remembered."""
    return Keys(keys._store, secrets, clock)


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


def test_no_secret_is_in_the_store(keys: Keys, account: Account) -> None:
    printed = [keys.create(account, kind, options(kind)).credentials for kind in SHAPES]
    with keys._store.read() as connection:
        kept = repr(connection.execute(select(table)).all()) + repr(connection.execute(select(tokens)).all())
    for credentials in printed:
        for name, value in credentials.items():
            assert name == "cdn" or str(value) not in kept


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


def test_last_use_is_noted_at_most_once_a_minute(keys: Keys, account: Account, clock: MovableClock) -> None:
    token = str(keys.create(account, "native", READ).credentials["token"])
    start = clock.now_us()
    for seconds in (0, 30, 31):
        clock.advance(seconds)
        keys._cache.clear()
        keys.authenticate("native", token)
    with keys._last_use._noted.locked() as noted:
        assert list(noted.values()) == [start + 61 * SECOND_US]
    keys.close()
    assert keys.all()[0].last_used_at == start + 61 * SECOND_US


def test_a_key_is_recognised_though_its_use_cannot_be_noted(
    keys: Keys, account: Account, metadata: MetadataStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = str(keys.create(account, "native", READ).credentials["token"])
    keys.close()
    assert keys.authenticate("native", token) is not None


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
        ("native", KeyOptions(frozenset({"admin"})), "admin"),
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


def test_a_known_key_cannot_be_imported_again(keys: Keys, account: Account, other_account: Account) -> None:
    made = keys.create(account, "fouryousee", imported={"secret_token": "f" * 32})
    for owner in (account, other_account):
        with pytest.raises(Conflict):
            keys.create(owner, "fouryousee", imported={"secret_token": "f" * 32})
    keys.revoke(made.id)
    with pytest.raises(Conflict):
        keys.create(account, "fouryousee", imported={"secret_token": "f" * 32})


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


def test_an_account_lists_and_revokes_its_own_only(keys: Keys, account: Account, other_account: Account) -> None:
    mine, theirs = keys.create(account, "tapjoy"), keys.create(other_account, "tapjoy")
    assert [key.id for key in keys.all(account)] == [mine.id]
    assert [key.id for key in keys.all()] == [mine.id, theirs.id]
    with pytest.raises(NotFound):
        keys.revoke(theirs.id, account)
    with pytest.raises(NotFound):
        keys.revoke(9999)
    assert keys.authenticate("tapjoy", str(theirs.credentials["reporting_api_key"])) is not None


def test_a_listing_shows_the_end_of_long_keys_only(keys: Keys, account: Account) -> None:
    made = keys.create(account, "native", READ)
    keys.create(account, "fouryousee", imported={"secret_token": "short"})
    assert [key.hint for key in keys.all()] == [str(made.credentials["token"])[-4:], ""]


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
