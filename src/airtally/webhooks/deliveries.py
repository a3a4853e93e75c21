"""The deliveries of messages, for their account to look at, to send again, and to test an endpoint with."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, func, select, update

from airtally.accounts.accounts import Account
from airtally.accounts.audit import note_change
from airtally.database.rows import AnyRow, values_of
from airtally.database.store import MetadataStore
from airtally.database.tables import message_deliveries, message_tries, messages, webhook_endpoints
from airtally.kit.clock import Clock
from airtally.kit.errors import Conflict, NotFound, TooManyRequests
from airtally.webhooks.event_types import PING
from airtally.webhooks.messages import Messages, Recipients
from airtally.webhooks.queue import MOST_TRIES
from airtally.webhooks.states import Channel, MessageState

#: Test messages of one endpoint that may wait at once.
MOST_PINGS = 20

_table = message_deliveries.c
_LISTED = (
    *(_table.id, messages.c.uid, messages.c.event_type, _table.channel, _table.endpoint_id, _table.address),
    *(_table.state, _table.attempts, _table.due_at, _table.sent_at, _table.status_code, _table.error),
    *(_table.created_at, _table.updated_at),
)


@dataclass(frozen=True, slots=True)
class MessageDelivery:
    """The delivery of one message to an endpoint or an e-mail address. Times in microseconds UTC.

    `uid` is the message's webhook-id. `attempts` counts the tries since it was made or redelivered; `sent_at`,
    `status_code` and `error` are of the last try. `due_at` is the time of the next where the state is `due`.
    """

    id: int
    uid: str
    event_type: str
    channel: Channel
    endpoint_id: int | None
    address: str | None
    state: MessageState
    attempts: int
    due_at: int
    sent_at: int | None
    status_code: int | None
    error: str | None
    created_at: int
    updated_at: int

    @classmethod
    def from_row(cls, row: AnyRow) -> MessageDelivery:
        values = values_of(row, _LISTED)
        return cls(**values | {"channel": Channel(values["channel"]), "state": MessageState(values["state"])})


@dataclass(frozen=True, slots=True)
class MessageTry:
    """One try: how long it took, and the beginning of what was answered. Times in microseconds UTC."""

    attempt: int
    sent_at: int
    duration_us: int
    status_code: int | None
    error: str | None
    headers: Mapping[str, str]
    body: str


@dataclass(frozen=True, slots=True)
class DeliveryDetails:
    """A delivery with its message and its tries, oldest first: the last MOST_TRIES of them.

    `payload` is the body of a webhook; `subject` and `text` are those of an e-mail.
    """

    delivery: MessageDelivery
    payload: str
    subject: str | None
    text: str | None
    tries: tuple[MessageTry, ...]


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """Which deliveries are listed; None: any."""

    endpoint_id: int | None = None
    state: MessageState | None = None
    channel: Channel | None = None
    event_type: str | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        wanted: list[tuple[ColumnElement[Any], Any]] = [
            (_table.endpoint_id, self.endpoint_id),
            (_table.state, self.state),
            (_table.channel, self.channel),
            (messages.c.event_type, self.event_type),
        ]
        return [column == value for column, value in wanted if value is not None]


class MessageDeliveries:
    """Thread-safe; every call is one transaction, and reaches nothing of another account."""

    def __init__(self, store: MetadataStore, clock: Clock, queued: Messages) -> None:
        """`clock` is the one that all hosts share."""
        self._store = store
        self._clock = clock
        self._messages = queued

    def listed(
        self, account: Account, only: DeliveryFilter | None = None, *, after: int | None = None, limit: int = 100
    ) -> list[MessageDelivery]:
        """Newest first; those with an id below `after`."""
        where = [] if only is None else only.conditions()
        if after is not None:
            where.append(_table.id < after)
        query = _deliveries_of(account).where(*where).order_by(_table.id.desc()).limit(limit)
        with self._store.read() as connection:
            return [MessageDelivery.from_row(row) for row in connection.execute(query)]

    def get(self, account: Account, delivery_id: int) -> DeliveryDetails:
        """Raises NotFound."""
        shown = _deliveries_of(account).add_columns(messages.c.payload, messages.c.subject, messages.c.text)
        tries = select(message_tries).where(message_tries.c.delivery_id == delivery_id)
        with self._store.read() as connection:
            row = connection.execute(shown.where(_table.id == delivery_id)).one_or_none()
            if row is None:
                raise _unknown_delivery(delivery_id)
            made = connection.execute(tries.order_by(message_tries.c.id.desc()).limit(MOST_TRIES)).all()
        kept = tuple(_try(each) for each in reversed(made))
        return DeliveryDetails(MessageDelivery.from_row(row), row.payload, row.subject, row.text, kept)

    def redeliver(self, account: Account, delivery_id: int) -> MessageDelivery:
        """Send a message again at once, with the same webhook-id; the schedule of tries begins anew.

        Raises NotFound, and Conflict while it is being sent or its endpoint is disabled.
        """
        now = self._clock.now_us()
        again = {"state": MessageState.DUE, "attempts": 0, "due_at": now, "updated_at": now}
        ended = _table.state.in_((MessageState.DUE, MessageState.DELIVERED, MessageState.FAILED))
        with self._store.begin() as connection:
            found = connection.execute(_deliveries_of(account).where(_table.id == delivery_id)).one_or_none()
            if found is None:
                raise _unknown_delivery(delivery_id)
            self._check_enabled(connection, found.endpoint_id)
            changed = update(message_deliveries).where(_table.id == delivery_id, ended).values(again)
            if connection.execute(changed).rowcount == 0:
                raise Conflict(f"Delivery {delivery_id} is being sent at this moment")
            note_change(connection, now, "delivery.redeliver", f"delivery {delivery_id}", account_id=account.id)
            return MessageDelivery.from_row(
                connection.execute(_deliveries_of(account).where(_table.id == delivery_id)).one()
            )

    def ping(self, account: Account, endpoint_id: int) -> MessageDelivery:
        """Send a test message to an endpoint, whatever types it wants.

        Raises NotFound, Conflict if the endpoint is disabled, TooManyRequests while MOST_PINGS wait.
        """
        own = webhook_endpoints.c.id == endpoint_id, webhook_endpoints.c.account_id == account.id
        with self._store.begin() as connection:
            # one at a time, so that they can be counted
            if (
                connection.execute(select(webhook_endpoints.c.id).where(*own).with_for_update(key_share=True)).first()
                is None
            ):
                raise NotFound(f"There is no webhook endpoint {endpoint_id}")
            self._check_enabled(connection, endpoint_id)
            _check_pings(connection, account, endpoint_id)
            uid = self._messages.enqueue(
                *(connection, account, PING, {"endpoint": endpoint_id}, f"ping {secrets.token_hex(16)}"),
                to=Recipients(endpoints=(endpoint_id,)),
            )
            return MessageDelivery.from_row(
                connection.execute(_deliveries_of(account).where(messages.c.uid == uid)).one()
            )

    def _check_enabled(self, connection: Connection, endpoint_id: int | None) -> None:
        enabled = select(webhook_endpoints.c.enabled).where(webhook_endpoints.c.id == endpoint_id)
        if endpoint_id is not None and not connection.execute(enabled).scalar_one():
            raise Conflict(f"Webhook endpoint {endpoint_id} is disabled", hint="Enable it, and what it holds is sent")


def _deliveries_of(account: Account) -> Select[Any]:
    return select(*_LISTED).join_from(message_deliveries, messages).where(_table.account_id == account.id)


def _check_pings(connection: Connection, account: Account, endpoint_id: int) -> None:
    waiting = _table.state.in_((MessageState.DUE, MessageState.SENDING))
    of = _deliveries_of(account).where(_table.endpoint_id == endpoint_id, messages.c.event_type == PING, waiting)
    if connection.execute(select(func.count()).select_from(of.subquery())).scalar_one() >= MOST_PINGS:
        raise TooManyRequests(
            f"{MOST_PINGS} test messages of webhook endpoint {endpoint_id} wait already", retry_after=60
        )


def _try(row: AnyRow) -> MessageTry:
    headers = msgspec.json.decode(row.headers, type=dict[str, str])
    return MessageTry(row.attempt, row.sent_at, row.duration_us, row.status_code, row.error, headers, row.body)


def _unknown_delivery(delivery_id: int) -> NotFound:
    return NotFound(f"There is no delivery {delivery_id}")
