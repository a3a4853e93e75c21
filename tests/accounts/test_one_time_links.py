"""Links that work once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest
from sqlalchemy import select

from airtally.accounts.accounts import Account, Accounts
from airtally.accounts.audit import AuditTrail
from airtally.accounts.one_time_links import (
    LINK_LIFE_US,
    MOST_SETUP_LINKS,
    Entered,
    FirstAccount,
    FirstUser,
    LinkUnknown,
    OneTimeLink,
    OneTimeLinks,
)
from airtally.accounts.secrets import Secrets
from airtally.accounts.sessions import Sessions
from airtally.accounts.users import User, Users
from airtally.database.store import MetadataStore
from airtally.database.tables import one_time_links
from airtally.kit.attempts import ATTEMPT, Attempt
from airtally.kit.clock import MovableClock
from airtally.kit.errors import BadRequest, Conflict, Failure
from airtally.kit.time import SECOND_US

ACME = FirstAccount("Acme", None, "America/Sao_Paulo", "BRL")
ANA = FirstUser("ana", "Ana", "ana@example.org", "correct horse")


@pytest.fixture
def make_links(
    metadata: MetadataStore, secrets: Secrets, users: Users, clock: MovableClock
) -> Callable[[], OneTimeLinks]:
    """Each as of another process."""

    def make() -> OneTimeLinks:
        sessions = Sessions(metadata, secrets, users, clock)
        return OneTimeLinks(
            metadata, secrets, clock, accounts=Accounts(metadata, clock), users=users, sessions=sessions
        )

    return make


@pytest.fixture
def links(make_links: Callable[[], OneTimeLinks]) -> OneTimeLinks:
    return make_links()


@pytest.fixture
def user(users: Users, account: Account) -> User:
    return users.create(account, username="ana", name="Ana", email="ana@example.org", password="correct horse")


def token(link: OneTimeLink | None) -> str:
    assert link is not None
    return link.path.partition("=")[2]


def stored(metadata: MetadataStore) -> str:
    with metadata.read() as connection:
        return repr(connection.execute(select(one_time_links)).all())


def outcomes(calls: list[Callable[[], Entered]]) -> tuple[list[Entered], list[Failure]]:
    """All at once, each on its thread."""
    barrier = Barrier(len(calls))

    def call(each: Callable[[], Entered]) -> Entered | Failure:
        barrier.wait()
        try:
            return each()
        except Failure as failure:
            return failure

    with ThreadPoolExecutor(len(calls)) as pool:
        found = list(pool.map(call, calls))
    return [each for each in found if isinstance(each, Entered)], [each for each in found if isinstance(each, Failure)]


def test_the_first_link_makes_an_account_with_its_operator_once(
    links: OneTimeLinks, users: Users, metadata: MetadataStore
) -> None:
    first, other = token(links.make_setup_link()), token(links.make_setup_link())
    links.check_setup(first)
    assert first not in stored(metadata)
    entered = links.set_up(first, ACME, ANA)
    assert (entered.user.username, entered.user.role, entered.user.account.slug) == ("ana", "operator", "acme")
    assert (entered.user.account.timezone, entered.user.account.currency) == ("America/Sao_Paulo", "BRL")
    assert users.login("ana", "correct horse") == entered.user
    for spent in (first, other):
        with pytest.raises(LinkUnknown):
            links.check_setup(spent)
        with pytest.raises(LinkUnknown):
            links.set_up(spent, ACME, replace(ANA, username="eve"))
    assert links.make_setup_link() is None
    assert stored(metadata) == "[]"


def test_what_cannot_be_used_leaves_the_link(links: OneTimeLinks, accounts: Accounts, users: Users) -> None:
    accounts.create("Acme")
    first = token(links.make_setup_link())
    with pytest.raises(Conflict, match="slug"):
        links.set_up(first, ACME, ANA)
    with pytest.raises(BadRequest, match="password"):
        links.set_up(first, replace(ACME, slug="other"), replace(ANA, password="short"))
    assert users.all() == []
    assert links.set_up(first, replace(ACME, slug="other"), ANA).user.account.slug == "other"


def test_of_several_browsers_one_makes_the_first_account(
    make_links: Callable[[], OneTimeLinks], accounts: Accounts, users: Users
) -> None:
    tokens = [token(make_links().make_setup_link()) for _ in range(2)]

    def setting_up(number: int) -> Callable[[], Entered]:
        own = make_links()
        return lambda: own.set_up(
            tokens[number % 2], replace(ACME, slug=f"acme-{number}"), replace(ANA, username=f"ana{number}")
        )

    entered, refused = outcomes([setting_up(number) for number in range(6)])
    assert len(entered) == 1
    assert {type(each) for each in refused} == {LinkUnknown}
    assert len(accounts.all()) == len(users.all()) == 1


def test_of_several_browsers_one_is_signed_in(make_links: Callable[[], OneTimeLinks], user: User) -> None:
    presented = token(make_links().make_sign_in_link(user))
    own = [make_links() for _ in range(6)]
    entered, refused = outcomes([lambda each=each: each.sign_in(presented) for each in own])  # type: ignore[misc]
    assert [each.user for each in entered] == [user]
    assert len(refused) == 5


def test_a_user_made_meanwhile_ends_the_first_links(links: OneTimeLinks, users: Users, account: Account) -> None:
    first = token(links.make_setup_link())
    users.create(account, username="bo", name="Bo", email="bo@example.org", password="correct horse")
    with pytest.raises(LinkUnknown):
        links.set_up(first, ACME, ANA)


def test_looking_at_a_link_leaves_it_and_signing_in_begins_a_session(
    links: OneTimeLinks, user: User, secrets: Secrets, users: Users, clock: MovableClock, metadata: MetadataStore
) -> None:
    presented = token(links.make_sign_in_link(user))
    assert presented not in stored(metadata)
    assert links.whose(presented) == links.whose(presented) == user
    entered = links.sign_in(presented)
    session = Sessions(metadata, secrets, users, clock).get(entered.session_token)
    assert session is not None
    assert session.user == user
    with pytest.raises(LinkUnknown):
        links.whose(presented)
    entries = AuditTrail(metadata, clock, days=1).entries(user.account.id)
    assert (entries[0].action, entries[0].target) == ("user.sign_in_link", "user ana")


def test_a_link_of_one_kind_is_none_of_the_other(links: OneTimeLinks, accounts: Accounts, users: Users) -> None:
    first = token(links.make_setup_link())
    with pytest.raises(LinkUnknown):
        links.sign_in(first)
    links.check_setup(first)


@pytest.mark.parametrize("moved", [LINK_LIFE_US, -3600 * SECOND_US])
def test_a_link_expires_and_works_no_longer_after_the_clock_was_set_back(
    links: OneTimeLinks, user: User, clock: MovableClock, moved: int
) -> None:
    presented = token(links.make_sign_in_link(user))
    clock.advance(moved / SECOND_US)
    with pytest.raises(LinkUnknown):
        links.sign_in(presented)


def test_a_new_link_a_new_password_and_a_closed_account_end_the_former_link(
    links: OneTimeLinks, users: Users, user: User, closed: Callable[[bool], None]
) -> None:
    former, latter = token(links.make_sign_in_link(user)), token(links.make_sign_in_link(user))
    with pytest.raises(LinkUnknown):
        links.sign_in(former)
    users.set_password("ana", "another password")
    with pytest.raises(LinkUnknown):
        links.sign_in(latter)
    last = token(links.make_sign_in_link(user))
    closed(True)
    with pytest.raises(LinkUnknown):
        links.sign_in(last)
    users.delete("ana")


def test_links_that_nobody_uses_do_not_pile_up(
    links: OneTimeLinks, metadata: MetadataStore, clock: MovableClock
) -> None:
    tokens = []
    for _ in range(MOST_SETUP_LINKS + 3):
        clock.advance(1)
        tokens.append(token(links.make_setup_link()))
    assert stored(metadata).count("'setup'") == MOST_SETUP_LINKS
    links.check_setup(tokens[3])
    with pytest.raises(LinkUnknown):
        links.check_setup(tokens[2])


def test_a_wrong_token_is_a_wrong_credential(links: OneTimeLinks, user: User) -> None:
    attempt = Attempt()
    ATTEMPT.set(attempt)
    with pytest.raises(LinkUnknown):
        links.sign_in("guessed")
    assert attempt.failed
    links.whose(token(links.make_sign_in_link(user)))
    assert not attempt.failed
