"""The figures of usage, and adding them to what is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass, fields

from sqlalchemy import Connection, select

from airtally.database.store import MetadataStore
from airtally.database.tables import accounts, usage

#: The API of rows that come in files, by command.
FILES = "files"
_ROWS_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class UsageFigures:
    """Sums of an account. `bytes_in`: of bodies and files as sent; `rows_out`: of answers that say how many rows."""

    rows_accepted: int = 0
    rows_refused: int = 0
    bytes_in: int = 0
    requests: int = 0
    rows_out: int = 0
    bytes_out: int = 0

    def __add__(self, other: UsageFigures) -> UsageFigures:
        """Called for each request, so without `astuple`, which copies deeply."""
        return UsageFigures(*(getattr(self, name) + getattr(other, name) for name in FIGURE_NAMES))


FIGURE_NAMES = tuple(each.name for each in fields(UsageFigures))


@dataclass(frozen=True, slots=True, order=True)
class UsagePlace:
    """Whose figures: an account's id, the UTC day since 1970-01-01, and whose API (`kind` as in the glossary)."""

    account_id: int
    day: int
    kind: str


def add_usage(store: MetadataStore, connection: Connection, sums: Mapping[UsagePlace, UsageFigures]) -> None:
    """Add to the stored sums, in the order of the places, so that two processes never wait for each other."""
    rows = [
        {"account_id": place.account_id, "day": place.day, "kind": place.kind}
        | dict(zip(FIGURE_NAMES, astuple(sums[place]), strict=True))
        for place in sorted(sums)
    ]
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        added = store.upserts.insert(usage).values(rows[start : start + _ROWS_AT_ONCE])
        more = {name: usage.c[name] + added.excluded[name] for name in FIGURE_NAMES}
        connection.execute(added.on_conflict_do_update(index_elements=["account_id", "day", "kind"], set_=more))


def ids_of(connection: Connection, slugs: set[str]) -> dict[str, int]:
    """The ids of accounts by their slugs; those that are deleted are left out: nothing more is stored of them."""
    found: dict[str, int] = {}
    names = sorted(slugs)
    for start in range(0, len(names), _ROWS_AT_ONCE):
        named = accounts.c.slug.in_(names[start : start + _ROWS_AT_ONCE])
        query = select(accounts.c.slug, accounts.c.id).where(named, accounts.c.deleted_at.is_(None))
        found |= {row.slug: row.id for row in connection.execute(query)}
    return found
