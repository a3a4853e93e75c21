"""The e-mail addresses of a person, looked for in texts and lists of the metadata store."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, select

from airtally.database.rows import AnyRow
from airtally.database.store import MetadataStore
from airtally.erasure.person import Person

_AT_ONCE = 500


class PersonAddresses:
    """Falsy without any address."""

    def __init__(self, person: Person) -> None:
        self._all = frozenset(each.lower() for each in person.ids.get("email", ()))
        words = "|".join(map(re.escape, sorted(self._all, key=len, reverse=True)))
        self._word = re.compile(rf"(?<![\w.+%-])(?:{words})(?!\.?[\w-])", re.IGNORECASE)

    def __bool__(self) -> bool:
        return bool(self._all)

    def are_in(self, *texts: str | None) -> bool:
        """Whether one stands in a text, as a whole."""
        return bool(self) and any(text is not None and self._word.search(text) is not None for text in texts)

    def has(self, address: str | None) -> bool:
        return address is not None and address.lower() in self._all

    def others(self, addresses: Sequence[str]) -> list[str]:
        """Those of a list that are not the person's."""
        return [each for each in addresses if not self.has(each)]


def rows_by_id(store: MetadataStore, columns: Sequence[Column[Any]], mine: ColumnElement[bool]) -> Iterator[AnyRow]:
    """The rows in order of their id, the first of the columns, page by page."""
    after = 0
    query = select(*columns).where(mine).order_by(columns[0]).limit(_AT_ONCE)
    while True:
        with store.read() as connection:
            page = connection.execute(query.where(columns[0] > after)).all()
        yield from page
        if len(page) < _AT_ONCE:
            return
        after = page[-1][0]
