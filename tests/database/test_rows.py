"""Rows by the names of their columns."""

from __future__ import annotations

import pytest
from sqlalchemy import select
from sqlalchemy.exc import NoSuchColumnError

from airtally.accounts.accounts import ACCOUNT_COLUMNS, Account
from airtally.accounts.users import User, Users
from airtally.database.rows import values_of
from airtally.database.store import MetadataStore
from airtally.database.tables import accounts, users


@pytest.fixture
def user(users: Users, account: Account, other_account: Account) -> User:
    """Whose number is not the account's."""
    for name in ("ann", "bob"):
        users.create(other_account, username=name, name="B", email="b@example.com", password="a password")
    return users.create(account, username="eve", name="Eve", email="eve@example.com", password="a password")


def test_each_table_has_its_own_of_columns_of_one_name_wherever_they_are(metadata: MetadataStore, user: User) -> None:
    """Both tables have `id`, `name` and `created_at`."""
    backwards = [*reversed(users.c), *reversed(accounts.c)]
    with metadata.read() as connection:
        row = connection.execute(select(*backwards).join(accounts).where(users.c.id == user.id)).one()
    assert Account.from_row(row) == user.account
    assert User.from_row(row) == user
    assert user.id != user.account.id


def test_labels_are_names(metadata: MetadataStore, account: Account) -> None:
    columns = (accounts.c.name, accounts.c.id.label("row_id"))
    with metadata.read() as connection:
        row = connection.execute(select(accounts.c.slug, *reversed(columns))).one()
    assert values_of(row, columns) == {"name": account.name, "row_id": account.id}


def test_a_column_that_was_not_selected_is_an_error(metadata: MetadataStore, account: Account) -> None:
    with metadata.read() as connection:
        row = connection.execute(select(*ACCOUNT_COLUMNS[:-1])).one()
    with pytest.raises(NoSuchColumnError):
        Account.from_row(row)
