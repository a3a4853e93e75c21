from __future__ import annotations

import threading

from airtally.accounts.accounts import Account
from airtally.accounts.owners import Owners


def test_who_claims_first_owns(owners: Owners, account: Account, other_account: Account) -> None:
    assert owners.owner_of("application", "A") is None
    assert owners.claim("application", "A", account.id)
    assert owners.claim("application", "A", account.id)
    assert not owners.claim("application", "A", other_account.id)
    assert owners.owner_of("application", "A") == account.id
    assert owners.claim("ad_group", "A", other_account.id)


def test_many_are_claimed_together(owners: Owners, account: Account, other_account: Account) -> None:
    owners.claim("application", "7", other_account.id)
    wanted = [str(number) for number in range(1200)]
    assert owners.claim_all("application", wanted, account.id) == {"7"}
    known = owners.owners_of("application", [*wanted, "unknown"])
    assert len(known) == 1200
    assert known["7"] == other_account.id
    assert len(owners.ids_of("application", account.id)) == 1199


def test_an_id_that_no_store_can_keep_is_nobodys(owners: Owners, account: Account) -> None:
    assert owners.owner_of("application", "a\0b") is None
    assert owners.claim_all("application", ["a\0b", "c"], account.id) == {"a\0b"}


def test_claims_that_meet_have_one_winner(owners: Owners, account: Account, other_account: Account) -> None:
    ids = [str(number) for number in range(50)]
    refused: dict[int, set[str]] = {}
    threads = [
        threading.Thread(target=lambda a=each: refused.update({a.id: owners.claim_all("cdn", ids, a.id)}))  # type: ignore[misc]
        for each in (account, other_account)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused[account.id] | refused[other_account.id] == set(ids)
    assert not refused[account.id] & refused[other_account.id]
