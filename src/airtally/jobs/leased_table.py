"""Leases on rows of the database, so that one process at a time works on each: jobs, and deliveries.

A process takes a row until `lease_until`, may renew the lease, and ends the work or hands the row back. Once the lease
has ended, any process may take the row over. `number` counts the leases of a row and fences them: a change made under
an earlier lease has no effect, even by the process that holds the row again.
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

#: The lease columns of a row that no process holds.
NO_LEASE: Mapping[str, None] = MappingProxyType({"lease_owner": None, "lease_until": None})


class LeaseLost(Failure):
    """Another worker has taken the row over; this one must not write its result."""

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
    #: Values set when a row is handed back, besides state and lease.
    when_released: Mapping[str, Any] = field(default_factory=dict)

    def taken(self, owner: str, until: int, **values: Any) -> ReturningUpdate[Any]:
        """Takes rows for the process `owner`, returning all columns. The caller adds the condition.

        The condition must include the row's own state. PostgreSQL checks it again after waiting for another transaction
        on the row, but does not run a subquery again, and would take a row twice.
        """
        lease = {"state": self.held, "lease_owner": owner, "lease_until": until, self.number.name: self.number + 1}
        return update(self.table).values(lease | values).returning(*self.table.c)

    def orphaned(self, now: int) -> ColumnElement[bool]:
        """Rows whose lease has ended: their process died, or could not reach the database."""
        return (self.table.c.state == self.held) & (self.table.c.lease_until <= now)

    def held_rows(
        self, owner: str, row_id: int | None = None, number: int | None = None
    ) -> tuple[ColumnElement[bool], ...]:
        """Rows that a process holds: all of them, or one under the lease of that number."""
        held = (self.table.c.state == self.held, self.table.c.lease_owner == owner)
        return held if row_id is None else (*held, self.table.c.id == row_id, self.number == number)

    def released(self, **values: Any) -> Update:
        """Hands rows back, to be taken by any process. The caller adds the condition."""
        return update(self.table).values({"state": self.free, **NO_LEASE, **self.when_released, **values})

    def release_gone(self, connection: Connection, is_gone: Callable[[str], bool], **values: Any) -> int:
        """Hand back the rows of processes known to have ended, before their leases do. Returns how many."""
        held = self.table.c.state == self.held
        owners = connection.execute(select(self.table.c.lease_owner).distinct().where(held)).scalars()
        gone = [owner for owner in owners if owner and is_gone(owner)]
        return int(connection.execute(self.released(**values).where(held, self.table.c.lease_owner.in_(gone))).rowcount)
