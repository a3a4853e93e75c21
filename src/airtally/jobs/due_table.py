"""Leased rows that are due at a time, taken in turns by lanes such as accounts, so that a busy lane holds up no other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Select, and_, case, func, literal, or_, select, update

from airtally.database.rows import AnyRow
from airtally.database.store import MetadataStore
from airtally.jobs.leased_table import LeasedTable
from airtally.kit.time import SECOND_US


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A row that this process works on, with its value in each lane column."""

    id: int
    lanes: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class DueTable:
    """A leased table with `due_at` and `sent_at`, the moment of the last lease. Times in microseconds UTC.

    `lanes`, narrow ones first, such as endpoint and account, say whose rows take turns. `since`: when a free row began
    to wait for its `due_at`.
    """

    leases: LeasedTable
    lanes: tuple[ColumnElement[int], ...]
    since: Column[int]

    def any_due(self, connection: Connection, now: int, *where: ColumnElement[bool]) -> bool:
        """Whether there is a row to take: one index read."""
        found = select(self.leases.table.c.id).where(self._due(now), *where).limit(1)
        return connection.execute(found).first() is not None

    def claim(
        self,
        connection: Connection,
        owner: str,
        now: int,
        *where: ColumnElement[bool],
        lease_seconds: float,
        under_way: Collection[UnderWay],
        limit: int,
        each: Sequence[int],
    ) -> list[AnyRow]:
        """Take at most `limit` rows that are due, or whose lease has ended, by their lanes' turns; in order of id.

        No lane has more than its number in `each` under way in this process.
        """
        table = self.leases.table.c
        turns = self._by_turns(now, where, under_way, each).limit(limit)
        free = select(table.id).where(table.id.in_(turns), self._due(now)).with_for_update(skip_locked=True)
        taken = self.leases.taken(owner, now + round(lease_seconds * SECOND_US), sent_at=now)
        return sorted(connection.execute(taken.where(table.id.in_(free))), key=lambda row: int(row.id))

    def follow_setback(self, store: MetadataStore, now: int) -> None:
        """After the clock went back, move due times and leases by as much, so that none lasts longer."""
        table = self.leases.table.c
        latest = case((table.state == self.leases.free, self.since), else_=table.sent_at)
        late = table.state.in_((self.leases.free, self.leases.held)), latest > now + SECOND_US
        with store.read() as connection:
            if connection.execute(select(table.id).where(*late).limit(1)).first() is None:
                return
        with store.begin() as connection:
            connection.execute(update(self.leases.table).where(*late).values(self._set_back(now)))

    def _due(self, now: int) -> ColumnElement[bool]:
        table = self.leases.table.c
        return or_(and_(table.state == self.leases.free, table.due_at <= now), self.leases.orphaned(now))

    def _set_back(self, now: int) -> dict[str, Any]:
        table = self.leases.table.c
        is_free, wait = table.state == self.leases.free, table.due_at - self.since
        return {
            "due_at": case((is_free & (wait > 0), now + wait), (is_free, now), else_=table.due_at),
            self.since.name: case((is_free, now), else_=self.since),
            "lease_until": now + (table.lease_until - table.sent_at),
            "sent_at": case((is_free, table.sent_at), else_=now),
        }

    def _by_turns(
        self, now: int, where: Sequence[ColumnElement[bool]], under_way: Collection[UnderWay], each: Sequence[int]
    ) -> Select[tuple[int]]:
        """Ids of rows to take: the longest due of each lane first, then the second of each, and so on."""
        table = self.leases.table.c
        lanes = [lane.label(f"lane{number}") for number, lane in enumerate(self.lanes)]
        free = self._due(now), table.id.not_in([row.id for row in under_way]), *where
        found = select(table.id, table.due_at, literal(0).label("number"), *lanes).where(*free).subquery("due").c
        for number, most in enumerate(each):
            lane = found[f"lane{number}"]
            turn = func.row_number().over(partition_by=lane, order_by=(found.number, found.due_at, found.id))
            others = [found[other.name] for other in lanes]
            turns = select(found.id, found.due_at, turn.label("number"), *others).subquery(f"turns{number}")
            room = _room(turns.c[lane.name], Counter(row.lanes[number] for row in under_way), most)
            found = select(*turns.c).where(turns.c.number <= room).subquery(f"taken{number}").c
        return select(found.id).order_by(found.number, found.due_at, found.id)


def _room(lane: ColumnElement[int], taken: Counter[int], most: int) -> Any:
    """How many rows more of a lane may be taken."""
    if not taken:
        return most
    return case(*((lane == value, most - count) for value, count in taken.items()), else_=most)
