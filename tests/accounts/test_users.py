from __future__ import annotations

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select

from airtally.accounts.accounts import Account
from airtally.accounts.permissions import UserRole
from airtally.accounts.users import User, UserReach, Users
from airtally.database.tables import users as table
from airtally.kit.errors import BadRequest, Conflict, Forbidden, NotFound
from fixtures.postgres import on_sqlite

PASSWORD = "correct horse"


def make(users: Users, account: Account, username: str = "ana", **changes: str) -> User:
    values = {"name": "Ana", "email": "ana@example.org", "password": PASSWORD} | changes
    return users.create(account, username=username, **values)


def test_a_user_logs_in_with_the_right_password_only(users: Users, account: Account) -> None:
    made = make(users, account)
    assert users.login("ana", PASSWORD) == made
    for username, password in (("ana", "wrong"), ("nobody", PASSWORD), ("ana", ""), ("\0", "x"), ("ana", "x" * 5000)):
        assert users.login(username, password) is None
    assert users.get(made.id) == made
    assert users.get(99) is None


@on_sqlite
def test_the_password_is_kept_as_argon2id_only(users: Users, account: Account) -> None:
    users._hasher = PasswordHasher()
    make(users, account)
    with users._store.read() as connection:
        kept = connection.execute(select(table.c.password_hash)).scalar_one()
    assert kept.startswith("$argon2id$")
    assert users.login("ana", PASSWORD) is not None


def test_an_outdated_hash_is_renewed_at_login(users: Users, account: Account) -> None:
    make(users, account)
    users._hasher = PasswordHasher(time_cost=2, memory_cost=8, parallelism=1)
    assert users.login("ana", PASSWORD) is not None
    with users._store.read() as connection:
        assert "t=2" in connection.execute(select(table.c.password_hash)).scalar_one()
    assert users.login("ana", PASSWORD) is not None


def test_a_user_name_is_unique_on_the_server(users: Users, account: Account, other_account: Account) -> None:
    make(users, account)
    with pytest.raises(Conflict, match="ana"):
        make(users, other_account)
    assert len(users.all()) == 1


def test_groups_are_numbered_in_each_account(users: Users, account: Account, other_account: Account) -> None:
    groups = [
        make(users, owner, name, **({"group": group} if group else {})).group_id
        for owner, name, group in (
            (account, "a", ""),
            (account, "b", "Operators"),
            (account, "c", "Operators"),
            (account, "d", ""),
            (other_account, "e", "Operators"),
        )
    ]
    assert groups == [1, 2, 2, 1, 1]
    assert [user.username for user in users.all(account)] == ["a", "b", "c", "d"]


@on_sqlite
@pytest.mark.parametrize(
    "wrong",
    [
        {"username": ""},
        {"username": "two words"},
        {"username": "x" * 65},
        {"email": "nobody"},
        {"email": "a@b\nBcc: c@d"},
        {"name": ""},
        {"name": "a\0"},
        {"group": " "},
        {"password": "short"},
        {"password": "x" * 1025},
    ],
)
def test_what_cannot_be_used_is_refused(users: Users, account: Account, wrong: dict[str, str]) -> None:
    with pytest.raises(BadRequest):
        make(users, account, **wrong)
    assert users.all() == []


def test_a_change_reaches_only_who_the_caller_may_change_at_that_moment(
    users: Users, account: Account, other_account: Account
) -> None:
    """Whatever the user was when the caller looked: the role and the account are checked with the change."""
    make(users, account)
    make(users, account, "root")
    users.change("root", role=UserRole.OPERATOR)
    admin, stranger = UserReach(account.id, operators=False), UserReach(other_account.id, operators=False)
    for reach, username, refusal in ((stranger, "ana", NotFound), (admin, "root", Forbidden)):
        with pytest.raises(refusal):
            users.change(username, password="another one, longer", reach=reach)
        with pytest.raises(refusal):
            users.delete(username, reach=reach)
        assert users.login(username, PASSWORD) is not None
    users.delete("ana", reach=admin)


def test_a_change_that_is_refused_changes_nothing(users: Users, account: Account) -> None:
    made = make(users, account)
    with pytest.raises(BadRequest, match="password"):
        users.change("ana", name="Ana Maria", role=UserRole.ADMIN, password="short")
    assert users.get(made.id) == made


def test_an_account_has_a_bounded_number_of_users(
    users: Users, account: Account, other_account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airtally.accounts.users.MOST_USERS", 2)
    for name in ("ana", "bob"):
        make(users, account, name)
    with pytest.raises(Conflict, match="2 users"):
        make(users, account, "eve")
    make(users, other_account, "eve")
    users.delete("bob")
    make(users, account, "bob")
