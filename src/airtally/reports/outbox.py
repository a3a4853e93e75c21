"""Notices to webhooks: one row a try, with what is sent and when; a waiting try is a row, not a worker."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, case, func, insert, or_, select, update

from airtally.database.rows import AnyRow, values_of
from airtally.database.store import MetadataStore
from airtally.database.tables import deliveries
from airtally.jobs.leased_table import NO_LEASE, LeasedTable
from airtally.jobs.retry_policy import RetryPolicy
from airtally.jobs.setback import Setback
from airtally.kit import metrics
from airtally.kit.clock import Clock
from airtally.kit.errors import NotFound
from airtally.kit.time import SECOND_US

#: Longer than a try can last; a try whose process died is made again after this.
LEASE_SECONDS = 90.0

#: The number of a try that was asked for by command; it has no successors.
BY_COMMAND = 0


class DeliveryState(StrEnum):
    """Of one try."""

    DUE = "due"
    SENDING = "sending"  # under a lease
    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"  # any answer but 200, and none


_LEASES = LeasedTable(
    deliveries, DeliveryState.DUE, DeliveryState.SENDING, deliveries.c.lease_number, when_released={"sent_at": None}
)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One try of a notice. `attempt` is its number in the schedule, from 1. Times in microseconds UTC."""

    id: int
    account_id: int
    report_id: int
    url: str
    payload: str
    attempt: int
    state: DeliveryState
    due_at: int
    lease_owner: str | None
    lease_until: int | None
    lease_number: int
    sent_at: int | None
    status_code: int | None
    error: str | None
    created_at: int

    @classmethod
    def from_row(cls, row: AnyRow) -> Delivery:
        values = values_of(row, deliveries.c)
        return cls(**values | {"state": DeliveryState(values["state"])})


class Deliveries:
    """`waits` are the seconds between the sending of a try and the next; `owner` names this process."""

    def __init__(self, store: MetadataStore, clock: Clock, waits: Sequence[float], owner: str) -> None:
        self._store = store
        self._clock = clock
        self._retry = RetryPolicy.ending_after(waits)
        self._owner = owner
        self._setback = Setback()

    def add(self, connection: Connection, account_id: int, report_id: int, url: str, payload: str) -> None:
        """The first try, due at once, in the transaction of what it tells of."""
        self._insert(connection, account_id, report_id, url, payload, attempt=1, due_at=self._clock.now_us())

    def claim_due(self, busy: Mapping[int, int], limit: int = 100, each: int = 100) -> list[Delivery]:
        """Tries to make now, also those of a worker that died; the accounts take turns, whoever has more of them.

        `busy` are under way in this process, each with its account; none has more than `each`.
        """
        now = self._clock.now_us()
        if self._setback.happened(now):
            self._follow_setback(now)
        with self._store.read() as connection:
            if connection.execute(select(deliveries.c.id).where(_due(now)).limit(1)).first() is None:
                return []
        first = deliveries.c.id.in_(_by_turns(now, busy, each).limit(limit))
        free = select(deliveries.c.id).where(first, _due(now)).with_for_update(skip_locked=True)
        taken = _LEASES.taken(self._owner, now + round(LEASE_SECONDS * SECOND_US), sent_at=now)
        with self._store.begin() as connection:
            rows = connection.execute(taken.where(deliveries.c.id.in_(free)))
            return sorted(map(Delivery.from_row, rows), key=lambda each: each.id)

    def settle(self, delivery: Delivery, status_code: int | None, error: str | None) -> None:
        """What came of a try. Only 200 acknowledges; otherwise the next try is noted, if there is one."""
        state = DeliveryState.ACKNOWLEDGED if status_code == 200 else DeliveryState.REFUSED
        values = {"state": state, "status_code": status_code, "error": error, **NO_LEASE}
        noted = update(deliveries).where(*self._held(delivery)).values(values).returning(*deliveries.c)
        with self._store.begin() as connection:
            row = connection.execute(noted).one_or_none()
            if row is not None and state == DeliveryState.REFUSED:
                self._add_next(connection, Delivery.from_row(row))
        metrics.DELIVERIES.labels(state).inc()

    def release(self, delivery: Delivery) -> None:
        """Hand back a try that was not made, such as when the process stops. A lost lease is no error."""
        with self._store.begin() as connection:
            connection.execute(_LEASES.released().where(*self._held(delivery)))

    def release_gone(self, is_gone: Callable[[str], bool]) -> int:
        """Hand back the tries of processes that are known to be gone, before their leases end; returns how many."""
        with self._store.begin() as connection:
            return _LEASES.release_gone(connection, is_gone)

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
        return Delivery.from_row(row)

    def latest(
        self, account_id: int | None = None, *, report_id: int | None = None, limit: int = 100
    ) -> list[Delivery]:
        """Newest first; of all accounts where none is given (the operator's view)."""
        where = [*_of(account_id), *([] if report_id is None else [deliveries.c.report_id == report_id])]
        query = select(*deliveries.c).where(*where).order_by(deliveries.c.id.desc()).limit(limit)
        with self._store.read() as connection:
            return [Delivery.from_row(row) for row in connection.execute(query)]

    def _follow_setback(self, now: int) -> None:
        """Where the clock went back, tries wait and leases last as long as they would have."""
        latest = case((deliveries.c.state == DeliveryState.DUE, deliveries.c.created_at), else_=deliveries.c.sent_at)
        late = deliveries.c.state.in_((DeliveryState.DUE, DeliveryState.SENDING)), latest > now + SECOND_US
        with self._store.read() as connection:
            if connection.execute(select(deliveries.c.id).where(*late).limit(1)).first() is None:
                return
        with self._store.begin() as connection:
            connection.execute(update(deliveries).where(*late).values(_set_back(now)))

    def _add_next(self, connection: Connection, last: Delivery) -> None:
        wait = None if last.attempt == BY_COMMAND else self._retry.wait(last.attempt)
        if wait is None or last.sent_at is None:
            return
        due_at = last.sent_at + round(wait * SECOND_US)
        attempt = last.attempt + 1
        self._insert(
            connection, last.account_id, last.report_id, last.url, last.payload, attempt=attempt, due_at=due_at
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
            "state": DeliveryState.DUE,
            "due_at": due_at,
            "lease_number": 0,
            "created_at": self._clock.now_us(),
        }
        added = connection.execute(insert(deliveries).values(values).returning(*deliveries.c))
        return Delivery.from_row(added.one())

    def _held(self, delivery: Delivery) -> tuple[ColumnElement[bool], ...]:
        return _LEASES.held_rows(self._owner, delivery.id, delivery.lease_number)


def _due(now: int) -> ColumnElement[bool]:
    """To be sent now, among them what a process left that let its lease end."""
    return or_(and_(deliveries.c.state == DeliveryState.DUE, deliveries.c.due_at <= now), _LEASES.orphaned(now))


def _set_back(now: int) -> dict[str, Any]:
    is_due, wait = deliveries.c.state == DeliveryState.DUE, deliveries.c.due_at - deliveries.c.created_at
    return {
        "due_at": case((is_due & (wait > 0), now + wait), (is_due, now), else_=deliveries.c.due_at),
        "created_at": case((is_due, now), else_=deliveries.c.created_at),
        "lease_until": now + (deliveries.c.lease_until - deliveries.c.sent_at),
        "sent_at": case((is_due, None), else_=now),
    }


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
