"""A clock that was ahead is set back: nothing is valid much longer than meant, and no session ends early."""

from __future__ import annotations

import pytest

from airtally.accounts.accounts import Account
from airtally.accounts.keys import Keys
from airtally.accounts.secrets import Secrets
from airtally.accounts.sessions import LIFE_US, Sessions
from airtally.accounts.users import Users
from airtally.database.store import MetadataStore
from airtally.kit.clock import MovableClock
from airtally.kit.signing import LinkSigner
from airtally.kit.time import DAY_US, SECOND_US
from airtally.vendors.slate.grants import CODE_US, GrantRefused, Grants
from airtally.vendors.slate.links import FileLinks

YEAR = 365 * 86_400
BACK = "https://app.example/back"


@pytest.fixture
def grants(metadata: MetadataStore, secrets: Secrets, clock: MovableClock, keys: Keys) -> Grants:
    return Grants(metadata, secrets, clock, keys)


@pytest.mark.parametrize("back", [90, 3600, YEAR])
def test_a_session(
    metadata: MetadataStore, secrets: Secrets, users: Users, account: Account, clock: MovableClock, back: int
) -> None:
    sessions = Sessions(metadata, secrets, users, clock)
    user = users.create(account, username="ana", name="Ana", email="ana@example.org", password="correct horse")
    token = sessions.begin(user)
    clock.advance(-back)
    assert sessions.get(token) is not None
    clock.advance(LIFE_US // SECOND_US - 1)
    assert sessions.get(token) is not None
    clock.advance(1)
    assert sessions.get(token) is None


@pytest.mark.parametrize("back", [90, 3600, YEAR])
def test_an_access_token(keys: Keys, account: Account, clock: MovableClock, back: int) -> None:
    token = str(keys.create(account, "slate").credentials["access_token"])
    clock.advance(-back)
    assert keys.authenticate_token("slate", "access", token) is not None
    clock.advance(3599)
    assert keys.authenticate_token("slate", "access", token) is not None
    clock.advance(1)
    assert keys.authenticate_token("slate", "access", token) is None


def test_tokens_of_servers_whose_clocks_lie_apart(keys: Keys, account: Account, clock: MovableClock) -> None:
    made = keys.create(account, "slate").credentials
    clock.advance(-50)
    assert keys.authenticate_token("slate", "access", str(made["access_token"])) is not None
    assert keys.authenticate_token("slate", "refresh", str(made["refresh_token"])) is not None
    clock.advance(3649)
    assert keys.authenticate_token("slate", "access", str(made["access_token"])) is not None


def test_a_code_for_one_trade(grants: Grants, keys: Keys, account: Account, clock: MovableClock) -> None:
    made = keys.create(account, "slate")
    code = grants.create_code(account, str(made.credentials["client_id"]), BACK)
    client = keys.authenticate("slate", str(made.credentials["client_id"]))
    assert client is not None
    clock.advance(-3600)
    with pytest.raises(GrantRefused, match="code"):
        grants.trade(client, code.code, BACK)
    clock.advance(3600 + CODE_US // SECOND_US - 1)
    assert grants.trade(client, code.code, BACK).access_token


@pytest.mark.parametrize(("back_seconds", "valid"), [(60, True), (3600, True), (3601, False), (YEAR, False)])
def test_a_link_to_a_file(back_seconds: int, valid: bool) -> None:
    links = FileLinks("http://host.example", LinkSigner(b"a key for the links of tests"), 3600)
    link = links.link(7, "f", 20_000 * DAY_US)
    query = dict(each.split("=", 1) for each in link.url.partition("?")[2].split("&"))
    assert links.is_valid(7, "f", query, 20_000 * DAY_US - back_seconds * SECOND_US) is valid


def test_the_last_use_of_a_key(keys: Keys, account: Account, clock: MovableClock) -> None:
    token = str(keys.create(account, "fouryousee").credentials["secret_token"])
    keys.authenticate("fouryousee", token)
    clock.advance(-3600)
    keys._cache.clear()
    keys.authenticate("fouryousee", token)
    keys.close()
    [key] = keys.all()
    assert key.last_used_at == clock.now_us()
