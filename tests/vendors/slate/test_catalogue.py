"""The catalogue on both metadata stores: what is made is listed, by its account alone."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from airtally.accounts.accounts import Account
from airtally.database.store import MetadataStore
from airtally.kit.clock import MovableClock
from airtally.kit.errors import BadRequest, Conflict, Failure, NotFound
from airtally.kit.paging import Slice
from airtally.vendors.slate.catalogue import Catalogue
from airtally.vendors.slate.entries import NewBusiness
from airtally.vendors.slate.register import Register

MAX = NewBusiness("7890", "abc123", "Acme Max", "US", datasets={"subscription": "data987"})


@pytest.fixture
def register(metadata: MetadataStore, clock: MovableClock) -> Register:
    return Register(metadata, clock, "csv")


@pytest.fixture
def catalogue(metadata: MetadataStore) -> Catalogue:
    return Catalogue(metadata)


def test_all_of_it(register: Register, catalogue: Catalogue, account: Account) -> None:
    slate = register.create_account(account, "Northwind Pictures", "123456")
    group = register.create_group(account, "7890", "Channels", "123456")
    business, datasets = register.create_business(account, MAX)
    assert catalogue.accounts(account).items == [slate]
    assert catalogue.groups(account, slate_account="123456").items == [group]
    path = {"slate_account": "123456", "group": "7890"}
    assert catalogue.businesses(account, **path).items == [business]
    listed = catalogue.datasets(account, **path, business="abc123")
    assert listed.items == sorted(datasets, key=lambda each: each.id)
    assert {each.name for each in listed.items} == {"Subscription", "Playback", "Catalog"}
    found = catalogue.dataset(account, **path, business="abc123", dataset="data987")
    assert (found.stream, found.format, found.business, found.name) == (
        "subscriptions",
        "csv",
        "abc123",
        "Subscription",
    )


def test_a_default_slate_account_and_an_unknown_group_are_made(
    register: Register, catalogue: Catalogue, account: Account
) -> None:
    first, _ = register.create_business(account, MAX)
    second, _ = register.create_business(account, NewBusiness("7890", "b2", "Second"))
    [slate] = catalogue.accounts(account).items
    assert slate.name == account.name
    assert first.slate_account == second.slate_account == slate.id
    assert [each.name for each in catalogue.groups(account).items] == ["7890"]
    register.create_account(account, "Another")
    with pytest.raises(BadRequest, match="2 Slate accounts"):
        register.create_business(account, NewBusiness("7890", "b3", "Third"))
    register.create_business(account, NewBusiness("7890", "b3", "Third", slate_account=slate.id))


def test_callers_that_meet_share_one_default(register: Register, catalogue: Catalogue, account: Account) -> None:
    threads = [
        threading.Thread(target=register.create_business, args=(account, NewBusiness("g", f"b{number}", "B")))
        for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert catalogue.accounts(account).total == 1
    assert catalogue.businesses(account).total == 8


def test_parts_of_a_listing(register: Register, catalogue: Catalogue, account: Account) -> None:
    for number in (3, 1, 2):
        register.create_account(account, "N", str(number))
    part = catalogue.accounts(account, Slice(1, 1))
    assert ([each.id for each in part.items], part.total) == (["2"], 3)
    past = catalogue.accounts(account, Slice(10**18, 10))
    assert (past.items, past.total) == ([], 3)


@pytest.mark.parametrize(
    "path",
    [
        {"slate_account": "1"},
        {"slate_account": "123456", "group": "1"},
        {"slate_account": "1", "group": "7890"},
        {"slate_account": "123456", "group": "7890", "business": "a\0bc123"},
    ],
)
def test_a_path_that_leads_nowhere(
    register: Register, catalogue: Catalogue, account: Account, path: dict[str, str]
) -> None:
    register.create_account(account, "N", "123456")
    register.create_business(account, MAX)
    below = [catalogue.groups, catalogue.businesses, catalogue.datasets][len(path) - 1]
    with pytest.raises(NotFound):
        below(account, **path)


def test_below_a_place_without_anything(register: Register, catalogue: Catalogue, account: Account) -> None:
    register.create_group(account, "empty", slate_account=register.create_account(account, "N").id)
    [slate] = catalogue.accounts(account).items
    assert catalogue.businesses(account, slate_account=slate.id, group="empty").total == 0


def test_accounts_do_not_see_each_other(
    register: Register, catalogue: Catalogue, account: Account, other_account: Account
) -> None:
    register.create_account(account, "N", "123456")
    register.create_business(account, MAX)
    assert catalogue.accounts(other_account).total == 0
    assert catalogue.businesses(other_account).total == 0
    with pytest.raises(NotFound):
        catalogue.groups(other_account, slate_account="123456")
    with pytest.raises(NotFound):
        register.create_group(other_account, "g", slate_account="123456")
    register.create_account(other_account, "N", "123456")
    register.create_business(other_account, MAX)


def test_what_is_there_already(register: Register, catalogue: Catalogue, account: Account) -> None:
    register.create_account(account, "N", "1")
    register.create_business(account, MAX)
    for again in (
        lambda: register.create_account(account, "N", "1"),
        lambda: register.create_group(account, "7890"),
        lambda: register.create_business(account, MAX),
        lambda: register.create_business(account, replace(MAX, group="other", datasets={})),
        lambda: register.create_business(account, replace(MAX, id="new")),
    ):
        with pytest.raises(Conflict):
            again()
    assert [each.id for each in catalogue.groups(account).items] == ["7890"]


@pytest.mark.parametrize(
    "changes",
    [
        {"id": ""},
        {"id": ".."},
        {"id": "a/b"},
        {"id": "a b"},
        {"id": "a" * 129},
        {"group": "é"},
        {"name": " "},
        {"territory": "U S"},
        {"datasets": {"subscriptions": "x"}},
        {"datasets": {"catalog": "x y"}},
        {"datasets": {"catalog": "x", "playback": "x"}},
        {"format": "xlsx"},
        {"slate_account": "nobody"},
    ],
)
def test_what_cannot_be_made(
    register: Register, catalogue: Catalogue, account: Account, changes: dict[str, object]
) -> None:
    with pytest.raises(Failure):
        register.create_business(account, replace(MAX, **changes))  # type: ignore[arg-type]
    assert catalogue.accounts(account).total == 0


def test_a_format_of_its_own(register: Register, account: Account) -> None:
    _, datasets = register.create_business(account, replace(MAX, format="parquet"))
    assert {each.format for each in datasets} == {"parquet"}
    assert len({each.id for each in datasets}) == 3


def test_an_account_has_a_bounded_number_of_entries(
    register: Register, account: Account, other_account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each business has datasets that are published again and again."""
    monkeypatch.setattr("airtally.vendors.slate.register.MOST_ENTRIES", 2)
    for number in range(2):
        register.create_business(account, replace(MAX, id=f"b{number}", group=f"g{number}", datasets={}))
    for refused in (replace(MAX, id="b2", group="g0"), replace(MAX, id="b2", group="g2")):
        with pytest.raises(Conflict, match="2 businesses"):
            register.create_business(account, refused)
    with pytest.raises(Conflict, match="2 groups"):
        register.create_group(account, "g2")
    register.create_account(account, "Second")
    with pytest.raises(Conflict, match="2 Slate accounts"):
        register.create_account(account, "Third")
    register.create_business(other_account, MAX)
