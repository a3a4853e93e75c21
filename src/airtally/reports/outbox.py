"""Stores the deliveries of notices to webhooks: one row for each try, so that a waiting try holds no worker."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum

from sqlalchemy import ColumnElement, Connection, insert, select, update

from airtally.accounts.accounts import CLOSED_IDS
from airtally.accounts.audit import note_change
from airtally.database.rows import AnyRow, values_of
from airtally.database.store import MetadataStore
from airtally.database.tables import deliveries
from airtally.jobs.due_table import DueTable, UnderWay
from airtally.jobs.leased_table import NO_LEASE, LeasedTable
from airtally.jobs.retry_policy import RetryPolicy
from airtally.jobs.setback import Setback
from airtally.kit import metrics
from airtally.kit.clock import Clock
from airtally.kit.errors import NotFound
from airtally.kit.time import SECOND_US

#: Longer than a try can last (30 s). A try whose process died is made again after this.
LEASE_SECONDS = 90.0

#: The `attempt` of a try made by `airtally delivery redeliver`; no other follows it.
BY_COMMAND = 0

#: Headers of each notice.
NOTICE_HEADERS = {"Content-Type": "application/json"}


class DeliveryState(StrEnum):
    """The state of one try."""

    DUE = "due"
    SENDING = "sending"  # under a lease
    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"  # answered with another status than 200, or not at all


_LEASES = LeasedTable(
    deliveries, DeliveryState.DUE, DeliveryState.SENDING, deliveries.c.lease_number, when_released={"sent_at": None}
)
_DUE = DueTable(_LEASES, (deliveries.c.account_id,), deliveries.c.created_at)
_OF_OPEN_ACCOUNTS = deliveries.c.account_id.not_in(CLOSED_IDS)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One try of a notice. `attempt` is its number in the schedule, from 1. Times in microseconds UTC.

    `answer_headers`, JSON, and `answer_body` are excerpts of what was answered; None where nothing was.
    """

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
    duration_us: int | None
    answer_headers: str | None
    answer_body: str | None
    created_at: int

    @classmethod
    def from_row(cls, row: AnyRow) -> Delivery:
        values = values_of(row, deliveries.c)
        return cls(**values | {"state": DeliveryState(values["state"])})


@dataclass(frozen=True, slots=True)
class NoticeOutcome:
    """What came of a try: the status that was answered, with excerpts of the answer, or why none was."""

    status_code: int | None = None
    error: str | None = None
    duration_us: int | None = None
    answer_headers: str | None = None
    answer_body: str | None = None


class Deliveries:
    """`waits` are the seconds between the sending of a try and the next; `owner` names this process."""

    def __init__(self, store: MetadataStore, clock: Clock, waits: Sequence[float], owner: str) -> None:
        self._store = store
        self._clock = clock
        self._retry = RetryPolicy.ending_after(waits)
        self._owner = owner
        self._setback = Setback()

    def add(self, connection: Connection, account_id: int, report_id: int, url: str, payload: str) -> None:
        """Add the first try, due at once, in the transaction that ends the report."""
        self._insert(connection, account_id, report_id, url, payload, attempt=1, due_at=self._clock.now_us())

    def claim_due(self, busy: Mapping[int, int], limit: int = 100, each: int = 100) -> list[Delivery]:
        """Take tries that are due, and those whose lease has ended; accounts take turns.

        `busy` maps the ids of tries under way in this process to their accounts; no account gets more than `each`.
        Those of a closed account wait until it is opened again.
        """
        now = self._clock.now_us()
        if self._setback.happened(now):
            _DUE.follow_setback(self._store, now)
        with self._store.read() as connection:
            if not _DUE.any_due(connection, now, _OF_OPEN_ACCOUNTS):
                return []
        with self._store.begin() as connection:
            rows = _DUE.claim(
                *(connection, self._owner, now, _OF_OPEN_ACCOUNTS),
                lease_seconds=LEASE_SECONDS,
                under_way=[UnderWay(delivery_id, (account,)) for delivery_id, account in busy.items()],
                limit=limit,
                each=(each,),
            )
            return [Delivery.from_row(row) for row in rows]

    def settle(self, delivery: Delivery, outcome: NoticeOutcome) -> None:
        """Record the outcome of a try. Any status but 200 schedules the next try, if there is one."""
        state = DeliveryState.ACKNOWLEDGED if outcome.status_code == 200 else DeliveryState.REFUSED
        values = {"state": state, **asdict(outcome), **NO_LEASE}
        noted = update(deliveries).where(*self._held(delivery)).values(values).returning(*deliveries.c)
        with self._store.begin() as connection:
            row = connection.execute(noted).one_or_none()
            if row is not None and state == DeliveryState.REFUSED:
                self._add_next(connection, Delivery.from_row(row))
        metrics.DELIVERIES.labels(state).inc()

    def release(self, delivery: Delivery) -> None:
        """Hand back a try that was not finished, as when the process stops. Does nothing if the lease is lost."""
        with self._store.begin() as connection:
            connection.execute(_LEASES.released().where(*self._held(delivery)))

    def release_gone(self, is_gone: Callable[[str], bool]) -> int:
        """Hand back the tries of processes known to have ended, before their leases do. Returns how many."""
        with self._store.begin() as connection:
            return _LEASES.release_gone(connection, is_gone)

    def redeliver(self, delivery_id: int, account_id: int | None = None) -> Delivery:
        """One more try of the same notice, due at once. Raises NotFound."""
        old = self.get(delivery_id, account_id)
        with self._store.begin() as connection:
            target = f"delivery {delivery_id} of report {old.report_id}"
            note_change(connection, self._clock.now_us(), "delivery.redeliver", target, account_id=old.account_id)
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
        """Raises NotFound, also for another account's delivery where `account_id` is given."""
        where = [deliveries.c.id == delivery_id, *_of(account_id)]
        with self._store.read() as connection:
            row = connection.execute(select(*deliveries.c).where(*where)).one_or_none()
        if row is None:
            raise NotFound(f"There is no delivery {delivery_id}")
        return Delivery.from_row(row)

    def latest(
        self,
        account_id: int | None = None,
        *,
        report_id: int | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> list[Delivery]:
        """Newest first, from the one before the id `before`; of all accounts where none is given."""
        where = [*_of(account_id), *([] if report_id is None else [deliveries.c.report_id == report_id])]
        where += [] if before is None else [deliveries.c.id < before]
        query = select(*deliveries.c).where(*where).order_by(deliveries.c.id.desc()).limit(limit)
        with self._store.read() as connection:
            return [Delivery.from_row(row) for row in connection.execute(query)]

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


def _of(account_id: int | None) -> list[ColumnElement[bool]]:
    return [] if account_id is None else [deliveries.c.account_id == account_id]
