"""Sessions of the console."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from airtally.accounts.accounts import Account
from airtally.accounts.secrets import Secrets
from airtally.accounts.sessions import LIFE_US, Sessions
from airtally.accounts.users import User, Users
from airtally.database.store import MetadataStore
from airtally.database.tables import sessions as session_table
from airtally.kit.clock import MovableClock
from airtally.kit.errors import NotFound
from airtally.kit.time import SECOND_US

PASSWORD = "correct horse"


@pytest.fixture
def user(users: Users, account: Account) -> User:
    return users.create(account, username="ana", name="Ana", email="ana@example.org", password=PASSWORD)


@pytest.fixture
def sessions(metadata: MetadataStore, secrets: Secrets, users: Users, clock: MovableClock) -> Sessions:
    return Sessions(metadata, secrets, users, clock)


def test_a_session_lasts_until_it_ends(sessions: Sessions, user: User, clock: MovableClock) -> None:
    one, two = sessions.begin(user), sessions.begin(user)
    found = sessions.get(one)
    assert found is not None
    assert found.user == user
    assert sessions.get("guess") is None
    sessions.end(one)
    assert sessions.get(one) is None
    assert sessions.get(two) is not None
    clock.advance(LIFE_US / SECOND_US)
    assert sessions.get(two) is None


def test_another_password_ends_the_sessions(users: Users, sessions: Sessions, user: User) -> None:
    token = sessions.begin(user)
    users.set_password("ana", "another password")
    assert sessions.get(token) is None
    assert users.login("ana", PASSWORD) is None
    assert users.login("ana", "another password") is not None
    with pytest.raises(NotFound):
        users.set_password("nobody", PASSWORD)


def rows(metadata: MetadataStore) -> list[Any]:
    with metadata.read() as connection:
        return list(connection.execute(select(session_table)))


def test_neither_token_is_another_sessions_and_the_store_has_only_its_hash(
    sessions: Sessions, metadata: MetadataStore, user: User
) -> None:
    begun = [sessions.begin(user) for _ in range(3)]
    found = [sessions.get(token) for token in begun]
    assert len({each.csrf_token for each in found if each is not None}) == 3
    kept = repr(rows(metadata))
    assert not any(token in kept for token in begun)


def test_a_login_deletes_the_sessions_that_are_over(
    sessions: Sessions, metadata: MetadataStore, user: User, clock: MovableClock
) -> None:
    sessions.begin(user)
    clock.advance(LIFE_US / SECOND_US - 1)
    sessions.begin(user)
    assert len(rows(metadata)) == 2
    clock.advance(1)
    sessions.begin(user)
    assert len(rows(metadata)) == 2
