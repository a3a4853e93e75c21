from __future__ import annotations

import threading

import pytest

from airtally.accounts.accounts import Account
from airtally.accounts.keys import Keys
from airtally.accounts.principal import Principal
from airtally.accounts.secrets import Secrets
from airtally.database.store import MetadataStore
from airtally.kit.clock import MovableClock
from airtally.kit.errors import BadRequest, NotFound
from airtally.vendors.slate.grants import GrantRefused, Grants, Tokens

BACK = "https://app.example/back?a=1"


@pytest.fixture
def grants(metadata: MetadataStore, secrets: Secrets, clock: MovableClock, keys: Keys) -> Grants:
    return Grants(metadata, secrets, clock, keys)


def client_of(keys: Keys, account: Account) -> tuple[str, Principal]:
    client_id = str(keys.create(account, "slate").credentials["client_id"])
    principal = keys.authenticate("slate", client_id)
    assert principal is not None
    return client_id, principal


def refused(grants: Grants, client: Principal, code: str, back: str = BACK) -> str:
    with pytest.raises(GrantRefused) as caught:
        grants.trade(client, code, back)
    return caught.value.parameter


def test_a_code_is_traded_once(grants: Grants, keys: Keys, account: Account) -> None:
    client_id, client = client_of(keys, account)
    code = grants.create_code(account, client_id, BACK).code
    tokens = grants.trade(client, code, BACK)
    for use, text in (("access", tokens.access_token), ("refresh", tokens.refresh_token)):
        holder = keys.authenticate_token("slate", use, text)
        assert holder is not None
        assert holder.key_id == client.key_id
    assert refused(grants, client, code) == "code"


def test_a_code_lives_five_minutes(grants: Grants, keys: Keys, account: Account, clock: MovableClock) -> None:
    client_id, client = client_of(keys, account)
    early, late = (grants.create_code(account, client_id, BACK).code for _ in range(2))
    clock.advance(299.9)
    grants.trade(client, early, BACK)
    clock.advance(0.1)
    assert refused(grants, client, late) == "code"
    clock.advance(86_400)
    grants.trade(client, grants.create_code(account, client_id, BACK).code, BACK)


def test_a_code_is_for_one_client_and_one_way_back(grants: Grants, keys: Keys, account: Account) -> None:
    client_id, client = client_of(keys, account)
    _, another = client_of(keys, account)
    code = grants.create_code(account, client_id, BACK).code
    assert refused(grants, another, code) == "code"
    assert refused(grants, client, code, BACK + "&b") == "redirect_uri"
    assert refused(grants, client, code + "x") == "code"
    grants.trade(client, code, BACK)


def test_trades_that_meet_have_one_winner(grants: Grants, keys: Keys, account: Account) -> None:
    client_id, client = client_of(keys, account)
    code = grants.create_code(account, client_id, BACK).code
    won: list[Tokens] = []

    def trade() -> None:
        try:
            won.append(grants.trade(client, code, BACK))
        except GrantRefused:
            return

    threads = [threading.Thread(target=trade) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1


def test_renewing(grants: Grants, keys: Keys, account: Account, clock: MovableClock) -> None:
    client_id, client = client_of(keys, account)
    first = grants.trade(client, grants.create_code(account, client_id, BACK).code, BACK)
    clock.advance(1800)
    second = grants.renew(client, first.refresh_token)
    assert second.refresh_token == first.refresh_token
    assert second.access_token != first.access_token
    assert keys.authenticate_token("slate", "access", first.access_token)
    clock.advance(1800)
    assert keys.authenticate_token("slate", "access", first.access_token) is None
    assert keys.authenticate_token("slate", "access", second.access_token)
    _, another = client_of(keys, account)
    for holder, token in ((another, first.refresh_token), (client, "Atzr|nonsense"), (client, second.access_token)):
        with pytest.raises(GrantRefused) as caught:
            grants.renew(holder, token)
        assert caught.value.parameter == "refresh_token"


def test_codes_that_cannot_be_made(grants: Grants, keys: Keys, account: Account, other_account: Account) -> None:
    client_id, _ = client_of(keys, account)
    for wrong in ("", "app.example/back", "https://app.example/a b", "https://" + "a" * 3000):
        with pytest.raises(BadRequest):
            grants.create_code(account, client_id, wrong)
    for owner, client in ((other_account, client_id), (account, "nobody")):
        with pytest.raises(NotFound):
            grants.create_code(owner, client, BACK)
    keys.revoke(1)
    with pytest.raises(NotFound):
        grants.create_code(account, client_id, BACK)
