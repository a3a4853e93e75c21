"""Rows of the database that one process at a time works on, under a lease: jobs, and tries to deliver a notice.

A process takes a row until a moment (`lease_until`), may renew that, and ends its work or hands the row back. Where it
lets the moment pass, any process takes the row over. `number` counts how often a row was taken and tells one lease from
the next: whoever comes back late changes nothing, also in the process that has the row anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Table, Update, select, update
from sqlalchemy.sql.dml import ReturningUpdate

from airtally.kit.errors import Failure

#: What a row has whose work has ended, or that nobody works on.
NO_LEASE: Mapping[str, None] = MappingProxyType({"lease_owner": None, "lease_until": None})


class LeaseLost(Failure):
    """Another worker has the row; whatever this one was about to write must not be written."""

    code = "lease_lost"


@dataclass(frozen=True, slots=True, eq=False)
class LeasedTable:
    """A table with the columns `id`, `state`, `lease_owner`, `lease_until` and `number`.

    A row in the state `free` may be taken and is then in the state `held`. Times are microseconds UTC of one clock that
    all processes share.
    """

    table: Table
    free: StrEnum
    held: StrEnum
    number: Column[int]
    #: What a row gets that is handed back, besides its state.
    when_released: Mapping[str, Any] = field(default_factory=dict)

    def taken(self, owner: str, until: int, **values: Any) -> ReturningUpdate[Any]:
        """Gives the row to the process `owner`; returns all columns. To be narrowed to rows that may be taken.

        The condition must name the row's own state: PostgreSQL looks at it again once another transaction that had the
        row has ended, and at nothing else.
        """
        lease = {"state": self.held, "lease_owner": owner, "lease_until": until, self.number.name: self.number + 1}
        return update(self.table).values(lease | values).returning(*self.table.c)

    def orphaned(self, now: int) -> ColumnElement[bool]:
        """Rows whose process let its lease end: it died, or lost the database."""
        return (self.table.c.state == self.held) & (self.table.c.lease_until <= now)

    def held_rows(
        self, owner: str, row_id: int | None = None, number: int | None = None
    ) -> tuple[ColumnElement[bool], ...]:
        """The rows that a process has, or the one that it has under the lease of that number."""
        held = (self.table.c.state == self.held, self.table.c.lease_owner == owner)
        return held if row_id is None else (*held, self.table.c.id == row_id, self.number == number)

    def released(self, **values: Any) -> Update:
        """Hands rows back: any process may take them at once. To be narrowed."""
        return update(self.table).values({"state": self.free, **NO_LEASE, **self.when_released, **values})

    def release_gone(self, connection: Connection, is_gone: Callable[[str], bool], **values: Any) -> int:
        """Hand back the rows of processes that are known to be gone, before their leases end; returns how many."""
        held = self.table.c.state == self.held
        owners = connection.execute(select(self.table.c.lease_owner).distinct().where(held)).scalars()
        gone = [owner for owner in owners if owner and is_gone(owner)]
        return int(connection.execute(self.released(**values).where(held, self.table.c.lease_owner.in_(gone))).rowcount)
