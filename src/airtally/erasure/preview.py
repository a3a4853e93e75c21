"""Counts what names a person, with nothing changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from airtally.accounts.accounts import Account
from airtally.erasure.lake_rows import LakeRows
from airtally.erasure.person import Person
from airtally.erasure.records import ErasureFinding
from airtally.erasure.store_protocol import PersonStore
from airtally.kit.clock import Clock


class ErasurePreview:
    """Thread-safe: it holds no state. `until_visible` returns once all live writers' rows are in the lake."""

    def __init__(
        self,
        lake_rows: LakeRows,
        stores: Sequence[PersonStore],
        clock: Clock,
        until_visible: Callable[[int], None],
    ) -> None:
        self._until_visible = until_visible
        self._lake_rows = lake_rows
        self._stores = stores
        self._clock = clock

    def linked(self, account: Account, person: Person) -> Person:
        """With the ids of the devices whose last record names the person."""
        return self._lake_rows.linked(account, person, self._clock.now_us())

    def count(self, account: Account, person: Person) -> list[ErasureFinding]:
        """What an erasure would find now, but for parts in which nothing names the person.

        Raises Unavailable where a live writer does not move its rows into the lake.
        """
        self._until_visible(self._clock.now_us())
        person = self.linked(account, person)
        found = [finding for store in self._stores for finding in store.count(account, person)]
        return [finding for finding in found if finding.found]
