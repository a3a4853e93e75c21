"""The queue of deliveries: taken under a lease, by the turns of endpoints and accounts, and settled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from airtally.accounts.accounts import CLOSED_IDS
from airtally.accounts.secrets import Secrets
from airtally.database.rows import AnyRow
from airtally.database.store import MetadataStore
from airtally.database.tables import message_deliveries, message_tries, messages, webhook_endpoints
from airtally.jobs.due_table import DueTable, UnderWay
from airtally.jobs.leased_table import NO_LEASE, LeasedTable
from airtally.jobs.retry_policy import RetryPolicy
from airtally.jobs.setback import Setback
from airtally.kit import metrics
from airtally.kit.clock import Clock
from airtally.settings import SettingError
from airtally.webhooks.endpoints import unseal_secret
from airtally.webhooks.health import EndpointHealth, EndpointStanding
from airtally.webhooks.messages import MailAttachment
from airtally.webhooks.retry import jittered_us
from airtally.webhooks.states import Channel, MessageState

#: Longer than a try can last (20 s for a webhook, 60 s for an e-mail).
LEASE_SECONDS = 120.0
#: Under way at once in one process, of one endpoint and of one account.
EACH_ENDPOINT, EACH_ACCOUNT = 10, 100
EACH_MAIL = 2
#: The latest tries are kept of a delivery, however often it is redelivered.
MOST_TRIES = 50

_table = message_deliveries.c
_LEASES = LeasedTable(message_deliveries, MessageState.DUE, MessageState.SENDING, _table.lease_number)
_DUE = {
    Channel.WEBHOOK: DueTable(_LEASES, (_table.endpoint_id, _table.account_id), _table.updated_at),
    Channel.EMAIL: DueTable(_LEASES, (_table.account_id,), _table.updated_at),
}
_EACH = {Channel.WEBHOOK: (EACH_ENDPOINT, EACH_ACCOUNT), Channel.EMAIL: (EACH_MAIL,)}


@dataclass(frozen=True, slots=True)
class LeasedMessage:
    """A delivery under a lease of this process, with all that one try needs. Times in microseconds UTC.

    `url` and `signing`, the secrets to sign with, are of a webhook; `address`, `subject`, `text` and
    `attachments` of an e-mail.
    """

    id: int
    account_id: int
    endpoint_id: int | None
    uid: str
    event_type: str
    payload: str
    attempt: int
    lease_number: int
    sent_at: int
    url: str | None
    signing: tuple[str, ...]
    address: str | None
    subject: str | None
    text: str | None
    attachments: tuple[MailAttachment, ...] = ()


@dataclass(frozen=True, slots=True)
class TryOutcome:
    """What came of one try. `error` is None for a success.

    `final`: another try cannot succeed. `retry_after_us`: the receiver wants no request earlier.
    """

    error: str | None
    status_code: int | None = None
    headers: str = "{}"
    body: str = ""
    duration_us: int = 0
    retry_after_us: int | None = None
    final: bool = False


class MessageQueue:
    """Thread-safe: each call is a transaction. `owner` is the id of this process."""

    def __init__(
        self,
        store: MetadataStore,
        clock: Clock,
        secrets: Secrets,
        health: EndpointHealth,
        *,
        owner: str,
        waits: Sequence[float],
    ) -> None:
        """`clock` is the one that all hosts share; `waits` are the seconds before the second try and further ones."""
        self._store = store
        self._clock = clock
        self._secrets = secrets
        self._health = health
        self._owner = owner
        self._retry = RetryPolicy.ending_after(waits)
        self._setbacks = {channel: Setback() for channel in Channel}

    def claim(self, channel: Channel, under_way: Sequence[LeasedMessage], limit: int) -> list[LeasedMessage]:
        """Take deliveries that are due, and those whose lease has ended; endpoints and accounts take turns.

        Those of a closed account wait until it is opened again.
        """
        now, due = self._clock.now_us(), _DUE[channel]
        if self._setbacks[channel].happened(now):
            due.follow_setback(self._store, now)
        own = (_table.channel == channel) & _table.account_id.not_in(CLOSED_IDS)
        with self._store.read() as connection:
            if not due.any_due(connection, now, own):
                return []
        with self._store.begin() as connection:
            rows = due.claim(
                *(connection, self._owner, now, own),
                lease_seconds=LEASE_SECONDS,
                under_way=[UnderWay(each.id, _lanes(each)) for each in under_way],
                limit=limit,
                each=_EACH[channel],
            )
            found = self._loaded(connection, rows)
        for row in found:
            if row.enabled is False:
                self._hold(self._leased(row, now), row.endpoint_id)
        return [self._leased(row, now) for row in found if row.enabled is not False]

    def _loaded(self, connection: Connection, rows: Sequence[AnyRow]) -> Sequence[AnyRow]:
        """The rows with message and endpoint."""
        ids = [row.id for row in rows]
        query = (
            select(*_LOADED)
            .select_from(message_deliveries.join(messages).outerjoin(webhook_endpoints))
            .where(_table.id.in_(ids))
            .order_by(_table.id)
        )
        return connection.execute(query).all() if ids else []

    def _hold(self, item: LeasedMessage, endpoint_id: int) -> None:
        """Hold what was taken for an endpoint that is disabled; one that was enabled since gets it."""
        now, enabled = self._clock.now_us(), select(webhook_endpoints.c.enabled)
        with self._store.begin() as connection:
            self._health.lock(connection, endpoint_id)
            is_enabled = connection.execute(enabled.where(webhook_endpoints.c.id == endpoint_id)).scalar()
            state = MessageState.DUE if is_enabled else MessageState.HELD
            held = update(message_deliveries).where(*self._held(item))
            connection.execute(held.values(state=state, updated_at=now, **NO_LEASE))

    def _leased(self, row: AnyRow, now: int) -> LeasedMessage:
        sealed = [row.secret_sealed] if row.secret_sealed is not None else []
        if row.former_secret_until is not None and now < row.former_secret_until:
            sealed.append(row.former_secret_sealed)
        return LeasedMessage(
            id=row.id,
            account_id=row.account_id,
            endpoint_id=row.endpoint_id,
            uid=row.uid,
            event_type=row.event_type,
            payload=row.payload,
            attempt=row.attempts + 1,
            lease_number=row.lease_number,
            sent_at=row.sent_at,
            url=row.url,
            signing=self._unsealed(row.account_id, sealed),
            address=row.address,
            subject=row.subject,
            text=row.text,
            attachments=_attachments(row.attachments),
        )

    def _unsealed(self, account_id: int, sealed: Sequence[bytes]) -> tuple[str, ...]:
        """None where AIRTALLY_SECRET_KEY was changed: that try fails and says so, those of others go on."""
        try:
            return tuple(unseal_secret(self._secrets, account_id, each) for each in sealed)
        except SettingError:
            return ()

    def settle(self, item: LeasedMessage, outcome: TryOutcome) -> None:
        """Record a try and what follows from it. Does nothing if the lease is lost."""
        now = self._clock.now_us()
        with self._store.begin() as connection:
            if item.endpoint_id is not None:
                self._health.lock(connection, item.endpoint_id)  # before the delivery, as whoever deletes it does
            held = select(_table.sent_at).where(*self._held(item)).with_for_update()
            sent_at = connection.execute(held).scalar_one_or_none()
            if sent_at is None:
                return
            values = self._next(item, outcome, sent_at, self._standing(connection, item, outcome, now))
            last = {"status_code": outcome.status_code, "error": outcome.error, "updated_at": now, **NO_LEASE}
            connection.execute(update(message_deliveries).where(_table.id == item.id).values(values | last))
            _keep_try(connection, item, outcome, sent_at)
        metrics.MESSAGE_TRIES.labels(_channel(item), values["state"]).inc()

    def _standing(self, connection: Connection, item: LeasedMessage, outcome: TryOutcome, now: int) -> EndpointStanding:
        """Of its endpoint after the try; an address of people is always sent to, no earlier than a limit says."""
        if item.endpoint_id is None:
            return EndpointStanding(enabled=True, earliest=now + (outcome.retry_after_us or 0))
        return self._health.note(
            connection,
            item.endpoint_id,
            now,
            error=outcome.error,
            status_code=outcome.status_code,
            retry_after_us=outcome.retry_after_us,
        )

    def _next(
        self, item: LeasedMessage, outcome: TryOutcome, sent_at: int, standing: EndpointStanding
    ) -> dict[str, Any]:
        """State, attempts and due time after a try."""
        if outcome.error is None:
            return {"state": MessageState.DELIVERED, "attempts": item.attempt}
        if not standing.enabled:
            return {"state": MessageState.HELD, "attempts": item.attempt}
        wait = None if outcome.final else self._retry.wait(item.attempt)
        if wait is None:
            return {"state": MessageState.FAILED, "attempts": item.attempt}
        due_at = max(sent_at + jittered_us(wait, item.id, item.attempt), standing.earliest)
        return {"state": MessageState.DUE, "attempts": item.attempt, "due_at": due_at}

    def release(self, item: LeasedMessage) -> None:
        """Hand back a delivery that was not tried to the end. Does nothing if the lease is lost."""
        with self._store.begin() as connection:
            connection.execute(_LEASES.released(updated_at=self._clock.now_us()).where(*self._held(item)))

    def release_gone(self, is_gone: Callable[[str], bool]) -> int:
        """Hand back the deliveries of processes known to have ended, before their leases do. Returns how many."""
        with self._store.begin() as connection:
            return _LEASES.release_gone(connection, is_gone, updated_at=self._clock.now_us())

    def _held(self, item: LeasedMessage) -> tuple[ColumnElement[bool], ...]:
        return _LEASES.held_rows(self._owner, item.id, item.lease_number)


_LOADED = (
    *(_table.id, _table.account_id, _table.endpoint_id, _table.attempts, _table.lease_number, _table.sent_at),
    *(_table.address, messages.c.uid, messages.c.event_type, messages.c.payload, messages.c.subject, messages.c.text),
    messages.c.attachments,
    *(webhook_endpoints.c.url, webhook_endpoints.c.enabled, webhook_endpoints.c.secret_sealed),
    *(webhook_endpoints.c.former_secret_sealed, webhook_endpoints.c.former_secret_until),
)


def _attachments(encoded: str | None) -> tuple[MailAttachment, ...]:
    return () if encoded is None else msgspec.json.decode(encoded, type=tuple[MailAttachment, ...])


def _keep_try(connection: Connection, item: LeasedMessage, outcome: TryOutcome, sent_at: int) -> None:
    row = {
        "delivery_id": item.id,
        "attempt": item.attempt,
        "sent_at": sent_at,
        "duration_us": outcome.duration_us,
        "status_code": outcome.status_code,
        "error": outcome.error,
        "headers": outcome.headers,
        "body": outcome.body,
    }
    connection.execute(insert(message_tries).values(row))
    own = message_tries.c.delivery_id == item.id
    oldest = select(message_tries.c.id).where(own).order_by(message_tries.c.id.desc()).offset(MOST_TRIES).limit(1)
    connection.execute(delete(message_tries).where(own, message_tries.c.id <= oldest.scalar_subquery()))


def _channel(item: LeasedMessage) -> Channel:
    return Channel.EMAIL if item.endpoint_id is None else Channel.WEBHOOK


def _lanes(item: LeasedMessage) -> tuple[int, ...]:
    return (item.account_id,) if item.endpoint_id is None else (item.endpoint_id, item.account_id)
