"""Notices to webhooks: one row a try, with what is sent and when; a waiting try is a row, not a worker."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, case, func, insert, or_, select, update

from airtally.database.store import MetadataStore
from airtally.database.tables import deliveries
from airtally.kit import metrics
from airtally.kit.clock import Clock
from airtally.kit.errors import NotFound
from airtally.kit.time import SECOND_US

#: Longer than a try can last; a try whose worker died is made again after this.
LEASE_SECONDS = 90.0

#: The number of a try that was asked for by command; it has no successors.
BY_COMMAND = 0


@dataclass(frozen=True, slots=True)
class Delivery:
    """`state` is due, sending, acknowledged or refused; times in microseconds UTC."""

    id: int
    account_id: int
    report_id: int
    url: str
    payload: str
    attempt: int
    state: str
    due_at: int
    lease_owner: str | None
    lease_until: int | None
    sent_at: int | None
    status_code: int | None
    error: str | None
    created_at: int


class Deliveries:
    """`waits` are the seconds between the sending of a try and the next; `owner` names this process."""

    def __init__(self, store: MetadataStore, clock: Clock, waits: Sequence[float], owner: str) -> None:
        self._store = store
        self._clock = clock
        self._waits = tuple(waits)
        self._owner = owner

    def add(self, connection: Connection, account_id: int, report_id: int, url: str, payload: str) -> None:
        """The first try, due at once, in the transaction of what it tells of."""
        self._insert(connection, account_id, report_id, url, payload, attempt=1, due_at=self._clock.now_us())

    def claim_due(self, busy: Mapping[int, int], limit: int = 100, each: int = 100) -> list[Delivery]:
        """Tries to make now, also those of a worker that died; the accounts take turns, whoever has more of them.

        `busy` are under way in this process, each with its account; none has more than `each`.
        """
        now = self._clock.now_us()
        with self._store.read() as connection:
            if connection.execute(select(deliveries.c.id).where(_due(now)).limit(1)).first() is None:
                return []
        query = select(deliveries.c.id).where(deliveries.c.id.in_(_by_turns(now, busy, each).limit(limit)))
        taken = (
            update(deliveries)
            .where(deliveries.c.id.in_(query.with_for_update(skip_locked=True)))
            .values(
                state="sending",
                lease_owner=self._owner,
                lease_until=now + round(LEASE_SECONDS * SECOND_US),
                sent_at=now,
            )
            .returning(*deliveries.c)
        )
        with self._store.begin() as connection:
            return sorted((Delivery(*row) for row in connection.execute(taken)), key=lambda each: each.id)

    def settle(self, delivery: Delivery, status_code: int | None, error: str | None) -> None:
        """What came of a try. Only 200 acknowledges; otherwise the next try is noted, if there is one."""
        state = "acknowledged" if status_code == 200 else "refused"
        with self._store.begin() as connection:
            noted = connection.execute(
                update(deliveries)
                .where(*self._held(delivery))
                .values(state=state, status_code=status_code, error=error, **_FREE)
            )
            if noted.rowcount == 1 and state == "refused":
                self._add_next(connection, delivery)
        metrics.DELIVERIES.labels(state).inc()

    def release(self, delivery: Delivery) -> None:
        """Hand back a try that was not made, such as when the process stops."""
        with self._store.begin() as connection:
            connection.execute(
                update(deliveries).where(*self._held(delivery)).values(state="due", sent_at=None, **_FREE)
            )

    def release_gone(self, is_gone: Callable[[str], bool]) -> int:
        """Hand back the tries of processes that are known to be gone, before their leases end; returns how many."""
        sending = select(deliveries.c.lease_owner).distinct().where(deliveries.c.state == "sending")
        with self._store.begin() as connection:
            gone = [owner for owner in connection.execute(sending).scalars() if owner and is_gone(owner)]
            held = update(deliveries).where(deliveries.c.state == "sending", deliveries.c.lease_owner.in_(gone))
            return int(connection.execute(held.values(state="due", sent_at=None, **_FREE)).rowcount)

    def redeliver(self, delivery_id: int, account_id: int | None = None) -> Delivery:
        """One more try of the same notice, due at once. Raises NotFound."""
        old = self.get(delivery_id, account_id)
        with self._store.begin() as connection:
            return self._insert(
                connection,
                old.account_id,
                old.report_id,
                old.url,
                old.payload,
                attempt=BY_COMMAND,
                due_at=self._clock.now_us(),
            )

    def get(self, delivery_id: int, account_id: int | None = None) -> Delivery:
        """Raises NotFound, also for a delivery of another account than the one given."""
        where = [deliveries.c.id == delivery_id, *_of(account_id)]
        with self._store.read() as connection:
            row = connection.execute(select(*deliveries.c).where(*where)).one_or_none()
        if row is None:
            raise NotFound(f"There is no delivery {delivery_id}")
        return Delivery(*row)

    def latest(
        self, account_id: int | None = None, *, report_id: int | None = None, limit: int = 100
    ) -> list[Delivery]:
        """Newest first; of all accounts where none is given (the operator's view)."""
        where = [*_of(account_id), *([] if report_id is None else [deliveries.c.report_id == report_id])]
        query = select(*deliveries.c).where(*where).order_by(deliveries.c.id.desc()).limit(limit)
        with self._store.read() as connection:
            return [Delivery(*row) for row in connection.execute(query)]

    def _add_next(self, connection: Connection, last: Delivery) -> None:
        if last.attempt == BY_COMMAND or last.attempt > len(self._waits) or last.sent_at is None:
            return
        due_at = last.sent_at + round(self._waits[last.attempt - 1] * SECOND_US)
        self._insert(
            connection,
            last.account_id,
            last.report_id,
            last.url,
            last.payload,
            attempt=last.attempt + 1,
            due_at=due_at,
        )

    def _insert(
        self,
        connection: Connection,
        account_id: int,
        report_id: int,
        url: str,
        payload: str,
        *,
        attempt: int,
        due_at: int,
    ) -> Delivery:
        values = {
            "account_id": account_id,
            "report_id": report_id,
            "url": url,
            "payload": payload,
            "attempt": attempt,
            "state": "due",
            "due_at": due_at,
            "created_at": self._clock.now_us(),
        }
        return Delivery(*connection.execute(insert(deliveries).values(values).returning(*deliveries.c)).one())

    def _held(self, delivery: Delivery) -> tuple[ColumnElement[bool], ...]:
        return (
            deliveries.c.id == delivery.id,
            deliveries.c.state == "sending",
            deliveries.c.lease_owner == self._owner,
            deliveries.c.sent_at == delivery.sent_at,
        )


_FREE: dict[str, Any] = {"lease_owner": None, "lease_until": None}


def _due(now: int) -> ColumnElement[bool]:
    orphaned = and_(deliveries.c.state == "sending", deliveries.c.lease_until <= now)
    return or_(and_(deliveries.c.state == "due", deliveries.c.due_at <= now), orphaned)


def _by_turns(now: int, busy: Mapping[int, int], each: int) -> Select[tuple[int]]:
    """The due tries: of each account the one that is due longest, then the second of each, and so on."""
    order = deliveries.c.due_at, deliveries.c.id
    number = func.row_number().over(partition_by=deliveries.c.account_id, order_by=order)
    due = select(*(deliveries.c.id, deliveries.c.account_id, deliveries.c.due_at), number.label("number"))
    numbered = due.where(_due(now) & deliveries.c.id.not_in(busy)).subquery("numbered").c
    under_way = Counter(busy.values())
    room = case(*((numbered.account_id == account, each - count) for account, count in under_way.items()), else_=each)
    return (
        select(numbered.id)
        .where(numbered.number <= (room if under_way else each))
        .order_by(numbered.number, numbered.due_at, numbered.id)
    )


def _of(account_id: int | None) -> list[ColumnElement[bool]]:
    return [] if account_id is None else [deliveries.c.account_id == account_id]
