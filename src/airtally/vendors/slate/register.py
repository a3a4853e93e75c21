"""Creates Slate accounts, groups and businesses; a business is created with its datasets."""

from __future__ import annotations

import secrets as random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Column, Connection, Table, func, insert, select
from sqlalchemy.exc import IntegrityError

from airtally.accounts.accounts import Account, check_name
from airtally.database.rows import values_of
from airtally.database.store import MetadataStore, storable
from airtally.database.tables import accounts, datasets, slate_accounts, slate_businesses, slate_groups
from airtally.datasets.dataset import STREAMS, Dataset
from airtally.kit.clock import Clock
from airtally.kit.errors import BadRequest, Conflict, NotFound
from airtally.settings import DATASET_FORMATS
from airtally.vendors.slate.entries import Business, Group, NewBusiness, SlateAccount, check_id

#: Slate accounts and businesses of an account, and groups of a Slate account: each business has datasets to publish.
MOST_ENTRIES = 1000


class Register:
    """Thread-safe: each call is one transaction. `file_format` is the default format of datasets."""

    def __init__(self, store: MetadataStore, clock: Clock, file_format: str) -> None:
        self._store = store
        self._clock = clock
        self._file_format = file_format

    def create_account(self, account: Account, name: str, slate_id: str | None = None) -> SlateAccount:
        """Create a Slate account; without `slate_id` the id is generated. Raises BadRequest or Conflict."""
        check_name(name)
        if slate_id is not None:
            check_id(slate_id, "Slate account id")
        with self._writing(account, f"There is a Slate account {slate_id!r} already") as connection:
            return self._add_account(connection, account, name, slate_id)

    def create_group(
        self, account: Account, group_id: str, name: str | None = None, slate_account: str | None = None
    ) -> Group:
        """Create a group; without `name` the id is its name. For `slate_account` see `_above`.

        Raises BadRequest, Conflict, or NotFound for an unknown Slate account.
        """
        check_id(group_id, "group id")
        check_name(name or group_id)
        with self._writing(account, f"There is a group {group_id!r} already") as connection:
            above = self._above(connection, account, slate_account)
            return self._add_group(connection, above, group_id, name or group_id)

    def create_business(self, account: Account, new: NewBusiness) -> tuple[Business, list[Dataset]]:
        """Create a business and its datasets, and its group if there is none of that id.

        Raises BadRequest, Conflict, or NotFound for an unknown Slate account.
        """
        file_format = new.format or self._file_format
        if file_format not in DATASET_FORMATS:
            raise BadRequest(f"There is no format {file_format[:64]!r}: expected one of {', '.join(DATASET_FORMATS)}")
        taken = f"There is a business {new.id!r} or a dataset with one of these ids already"
        with self._writing(account, taken) as connection:
            above = self._above(connection, account, new.slate_account)
            _check_room(connection, slate_businesses.c.account_id, account.id, "businesses")
            group = self._group(connection, above, new.group)
            values = {
                "account_id": account.id,
                "slate_group_id": group.row_id,
                "business_id": new.id,
                "name": new.name,
                "territory": new.territory,
            }
            row_id = self._add(connection, slate_businesses, values)
            business = Business(row_id, new.id, new.name, new.territory, group.id, above.id)
            return business, self._add_datasets(connection, account, business, new.datasets, file_format)

    def _above(self, connection: Connection, account: Account, slate_id: str | None) -> SlateAccount:
        """The Slate account with that id; without an id the account's only one, which is created if there is none."""
        columns = (slate_accounts.c.id.label("row_id"), slate_accounts.c.slate_id.label("id"), slate_accounts.c.name)
        query = select(*columns).where(slate_accounts.c.account_id == account.id)
        if slate_id is not None:
            query = query.where(slate_accounts.c.slate_id == storable(slate_id))
        found = connection.execute(query).all()
        if len(found) == 1:
            return SlateAccount(**values_of(found[0], columns))
        if slate_id is not None:
            raise NotFound(
                f"There is no Slate account {slate_id[:128]!r}", hint="`airtally slate account list` shows them"
            )
        if found:
            raise BadRequest(
                f"The account {account.slug} has {len(found)} Slate accounts",
                hint="Name one of them: --slate-account, or `slate_account` in a request",
            )
        return self._add_account(connection, account, account.name, None)

    def _group(self, connection: Connection, above: SlateAccount, group_id: str) -> Group:
        query = select(slate_groups.c.id, slate_groups.c.name)
        where = (slate_groups.c.slate_account_id == above.row_id, slate_groups.c.group_id == group_id)
        row = connection.execute(query.where(*where)).one_or_none()
        if row is None:
            return self._add_group(connection, above, group_id, group_id)
        return Group(row.id, group_id, row.name, above.id)

    def _add_account(self, connection: Connection, account: Account, name: str, slate_id: str | None) -> SlateAccount:
        _check_room(connection, slate_accounts.c.account_id, account.id, "Slate accounts")
        made = slate_id or _free_number(connection, account)
        row_id = self._add(connection, slate_accounts, {"account_id": account.id, "slate_id": made, "name": name})
        return SlateAccount(row_id, made, name)

    def _add_group(self, connection: Connection, above: SlateAccount, group_id: str, name: str) -> Group:
        _check_room(connection, slate_groups.c.slate_account_id, above.row_id, "groups")
        values = {"slate_account_id": above.row_id, "group_id": group_id, "name": name}
        return Group(self._add(connection, slate_groups, values), group_id, name, above.id)

    def _add_datasets(
        self,
        connection: Connection,
        account: Account,
        business: Business,
        ids: Mapping[str, str],
        file_format: str,
    ) -> list[Dataset]:
        made = []
        for kind, stream in STREAMS.items():
            dataset_id = ids.get(kind) or f"data{random.token_hex(6)}"
            values = {
                "account_id": account.id,
                "slate_business_id": business.row_id,
                "stream": stream,
                "dataset_id": dataset_id,
                "format": file_format,
            }
            row_id = self._add(connection, datasets, values)
            made.append(Dataset(row_id, dataset_id, stream, file_format, business.id))
        return made

    def _add(self, connection: Connection, table: Table, values: dict[str, Any]) -> int:
        added = insert(table).values(values | {"created_at": self._clock.now_us()}).returning(table.c.id)
        return int(connection.execute(added).scalar_one())

    @contextmanager
    def _writing(self, account: Account, taken: str) -> Iterator[Connection]:
        """One transaction at a time for each account, so that two callers cannot both create its first Slate account.

        A violated unique index raises Conflict with the message `taken`.
        """
        try:
            with self._store.begin() as connection:
                connection.execute(select(accounts.c.id).where(accounts.c.id == account.id).with_for_update())
                yield connection
        except IntegrityError:
            raise Conflict(taken) from None


def _check_room(connection: Connection, owner: Column[int], owner_id: int, what: str) -> None:
    """Raises Conflict. Of those that are made at the same moment a few more may come through."""
    if connection.execute(select(func.count()).where(owner == owner_id)).scalar_one() >= MOST_ENTRIES:
        raise Conflict(f"There are {MOST_ENTRIES} {what} already")


def _free_number(connection: Connection, account: Account) -> str:
    """A random id of six digits that no other Slate account of the account has."""
    of_account = select(slate_accounts.c.slate_id).where(slate_accounts.c.account_id == account.id)
    taken = set(connection.execute(of_account).scalars())
    while (number := str(100_000 + random.randbelow(900_000))) in taken:
        continue
    return number
