from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airtally.accounts.accounts import RESERVED_SLUGS, Accounts, check_slug, slug_of
from airtally.kit.errors import BadRequest, Conflict, NotFound
from fixtures.postgres import on_sqlite


def test_an_account_is_found_by_its_slug(accounts: Accounts) -> None:
    made = accounts.create("Acme Mídia", timezone="Asia/Kathmandu", currency="BRL")
    assert (made.slug, made.zone.key, made.currency) == ("acme-midia", "Asia/Kathmandu", "BRL")
    assert accounts.by_slug("acme-midia") == made
    assert accounts.by_id(made.id) == made
    assert accounts.all() == [made]


def test_an_unknown_account_is_named(accounts: Accounts) -> None:
    for slug in ("nobody", "", "a\0b", "x" * 5000):
        with pytest.raises(NotFound):
            accounts.by_slug(slug)
    with pytest.raises(NotFound):
        accounts.by_id(99)


def test_a_slug_is_unique(accounts: Accounts) -> None:
    accounts.create("Acme")
    with pytest.raises(Conflict, match="acme"):
        accounts.create("ACME")
    assert accounts.create("ACME", "acme-0A1B2C").slug == "acme-0A1B2C"


@pytest.mark.parametrize("slug", ["ab", "a-1", "x" * 32, "x" * 32 + "-00FF00", "42"])
def test_slugs_that_can_be_used(slug: str) -> None:
    check_slug(slug)


@pytest.mark.parametrize(
    "slug", ["", "a", "A1", "acme_1", "x" * 33, "acme-00FF0", "../etc", "ação", "a b", "ab\n", "a/b"]
)
def test_slugs_that_cannot(slug: str) -> None:
    with pytest.raises(BadRequest):
        check_slug(slug)


@pytest.mark.parametrize("slug", sorted(each for each in RESERVED_SLUGS if len(each) > 1))
def test_the_servers_own_paths_are_no_slugs(slug: str) -> None:
    with pytest.raises(BadRequest, match="address of the server"):
        check_slug(slug)


@given(st.text(max_size=300))
def test_a_slug_made_of_a_name_can_be_used_or_is_refused(name: str) -> None:
    try:
        slug = slug_of(name)
    except BadRequest:
        return
    if slug not in RESERVED_SLUGS:
        check_slug(slug)


@on_sqlite
@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": "x" * 257},
        {"name": "two\nlines"},
        {"timezone": "Mars/Olympus"},
        {"timezone": "../../etc/passwd"},
        {"timezone": ""},
        {"currency": "usd"},
        {"currency": "DOLLAR"},
    ],
)
def test_what_cannot_be_used_is_refused(accounts: Accounts, wrong: dict[str, str]) -> None:
    with pytest.raises(BadRequest):
        accounts.create(**({"name": "Acme", "slug": "acme"} | wrong))
    assert accounts.all() == []
