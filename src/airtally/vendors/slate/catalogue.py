"""Lists and finds the Slate accounts, groups, businesses and datasets of an account."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, FromClause, Select, func, select
from sqlalchemy.sql.elements import NamedColumn

from airtally.accounts.accounts import Account
from airtally.database.rows import values_of
from airtally.database.store import MetadataStore, storable
from airtally.database.tables import datasets, slate_accounts, slate_businesses, slate_groups
from airtally.datasets.dataset import DATASET_COLUMNS, Dataset, dataset_of
from airtally.kit.errors import NotFound
from airtally.kit.paging import ALL, Listed, Slice
from airtally.vendors.slate.entries import Business, Group, SlateAccount

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Level(Generic[T]):
    """One level of the catalogue: its columns, its table joined with those above, its id, and the class of its entries.

    The columns are labelled with the names of the fields of `entry`.
    """

    columns: tuple[NamedColumn[Any], ...]
    tables: FromClause
    id: ColumnElement[str]
    entry: Callable[..., T]
    what: str


_BELOW_ACCOUNTS = slate_accounts.join(slate_groups, slate_groups.c.slate_account_id == slate_accounts.c.id)
_BELOW_GROUPS = _BELOW_ACCOUNTS.join(slate_businesses, slate_businesses.c.slate_group_id == slate_groups.c.id)
_BELOW_BUSINESSES = _BELOW_GROUPS.join(datasets, datasets.c.slate_business_id == slate_businesses.c.id)

_ACCOUNTS = _Level(
    (slate_accounts.c.id.label("row_id"), slate_accounts.c.slate_id.label("id"), slate_accounts.c.name),
    slate_accounts,
    slate_accounts.c.slate_id,
    SlateAccount,
    "account",
)
_GROUPS = _Level(
    (
        *(slate_groups.c.id.label("row_id"), slate_groups.c.group_id.label("id"), slate_groups.c.name),
        slate_accounts.c.slate_id.label("slate_account"),
    ),
    _BELOW_ACCOUNTS,
    slate_groups.c.group_id,
    Group,
    "group",
)
_BUSINESSES = _Level(
    (
        *(slate_businesses.c.id.label("row_id"), slate_businesses.c.business_id.label("id"), slate_businesses.c.name),
        *(slate_businesses.c.territory, slate_groups.c.group_id.label("group")),
        slate_accounts.c.slate_id.label("slate_account"),
    ),
    _BELOW_GROUPS,
    slate_businesses.c.business_id,
    Business,
    "business",
)
_DATASETS = _Level(
    DATASET_COLUMNS,
    _BELOW_BUSINESSES,
    datasets.c.dataset_id,
    Dataset,
    "dataset",
)

#: The levels of a path from the top down, by the argument that has the level's id.
_PATH: Mapping[str, _Level[Any]] = {
    "slate_account": _ACCOUNTS,
    "group": _GROUPS,
    "business": _BUSINESSES,
    "dataset": _DATASETS,
}


class Catalogue:
    """Thread-safe. Every read is of one account; listings are ordered by id.

    `path` has the ids of the levels above, from the top: `slate_account=…, group=…, business=…, dataset=…`. A
    listing has the entries below that path, and raises NotFound if there is no such path.
    """

    def __init__(self, store: MetadataStore) -> None:
        self._store = store

    def accounts(self, account: Account, part: Slice = ALL) -> Listed[SlateAccount]:
        return self._listed(account, _ACCOUNTS, {}, part)

    def groups(self, account: Account, part: Slice = ALL, **path: str) -> Listed[Group]:
        return self._listed(account, _GROUPS, path, part)

    def businesses(self, account: Account, part: Slice = ALL, **path: str) -> Listed[Business]:
        return self._listed(account, _BUSINESSES, path, part)

    def datasets(self, account: Account, part: Slice = ALL, **path: str) -> Listed[Dataset]:
        return self._listed(account, _DATASETS, path, part)

    def entries(
        self, account: Account, level: str, *, after: int | None = None, limit: int = 100, **path: str
    ) -> list[Any]:
        """The entries of a level (a name of `path`, as `group`), oldest first, after the number `after`."""
        found = _PATH[level]
        query = _below(found, account, path).order_by(found.columns[0]).limit(limit)
        query = query if after is None else query.where(found.columns[0] > after)
        with self._store.read() as connection:
            return [found.entry(**values_of(row, found.columns)) for row in connection.execute(query)]

    def entry(self, account: Account, **path: str) -> Any:
        """The entry at the end of the path. Raises NotFound."""
        found = _PATH[list(path)[-1]]
        with self._store.read() as connection:
            row = connection.execute(_below(found, account, path)).one_or_none()
        if row is None:
            raise _missing(path)
        return found.entry(**values_of(row, found.columns))

    def dataset(self, account: Account, **path: str) -> Dataset:
        """Raises NotFound."""
        found: Dataset = self.entry(account, **path)
        return found

    def datasets_of(self, account: Account, businesses: Sequence[Business]) -> dict[int, list[Dataset]]:
        """The datasets of businesses of the account, by the businesses' row ids."""
        found: dict[int, list[Dataset]] = {each.row_id: [] for each in businesses}
        query = _below(_DATASETS, account, {}).where(slate_businesses.c.id.in_(found)).order_by(datasets.c.id)
        with self._store.read() as connection:
            for row in connection.execute(query.add_columns(slate_businesses.c.id.label("of_business"))):
                found[row.of_business].append(dataset_of(row))
        return found

    def _listed(self, account: Account, level: _Level[T], path: Mapping[str, str], part: Slice) -> Listed[T]:
        query = _below(level, account, path)
        with self._store.read() as connection:
            total = connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()
            if total == 0 and path:
                above = _below(_PATH[list(path)[-1]], account, path)
                if connection.execute(above).first() is None:
                    raise _missing(path)
            rows = connection.execute(
                query.order_by(level.id, slate_accounts.c.slate_id).limit(part.limit).offset(part.offset)
            )
            return Listed([level.entry(**values_of(row, level.columns)) for row in rows], total)


def _below(level: _Level[T], account: Account, path: Mapping[str, str]) -> Select[Any]:
    given = [_PATH[name].id == storable(value) for name, value in path.items()]
    query = select(*level.columns).select_from(level.tables)
    return query.where(slate_accounts.c.account_id == account.id, *given)


def _missing(path: Mapping[str, str]) -> NotFound:
    *_, (name, value) = path.items()
    return NotFound(f"There is no {_PATH[name].what} {value[:128]!r} here")
