"""The webhook endpoints that accounts declare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, delete, func, insert, select, update

from airtally.accounts.accounts import Account, lock_account
from airtally.accounts.audit import note_change
from airtally.accounts.secrets import Secrets
from airtally.database.rows import AnyRow, values_of
from airtally.database.store import MetadataStore
from airtally.database.tables import message_deliveries, message_tries, webhook_endpoints
from airtally.kit.clock import Clock
from airtally.kit.errors import BadRequest, Conflict, NotFound, Unprocessable
from airtally.kit.outgoing import Network, OutgoingRefused, check_target, check_url
from airtally.kit.time import SECOND_US
from airtally.webhooks.event_types import EVENT_TYPES
from airtally.webhooks.signing import new_secret
from airtally.webhooks.states import MessageState

MOST_ENDPOINTS = 50
#: How long the former secret signs as well after a rotation.
GRACE_US = 24 * 3600 * SECOND_US
_LONGEST_URL = 2048
_LONGEST_DESCRIPTION = 256
BY_OWNER = "Disabled by its owner"

_table = webhook_endpoints.c
_LISTED = (
    *(_table.id, _table.url, _table.description, _table.event_types, _table.enabled),
    *(_table.disabled_reason, _table.disabled_at, _table.failures, _table.failing_since),
    *(_table.former_secret_until, _table.created_at, _table.updated_at),
)


@dataclass(frozen=True, slots=True)
class WebhookEndpoint:
    """Where an account's webhooks go. `event_types`: None for all. Times in microseconds UTC.

    `failures`: tries that failed since the last that succeeded, the first of them at `failing_since`. Until
    `former_secret_until` the secret before the last rotation signs too.
    """

    id: int
    url: str
    description: str
    event_types: tuple[str, ...] | None
    enabled: bool
    disabled_reason: str | None
    disabled_at: int | None
    failures: int
    failing_since: int | None
    former_secret_until: int | None
    created_at: int
    updated_at: int

    @classmethod
    def from_row(cls, row: AnyRow) -> WebhookEndpoint:
        values = values_of(row, _LISTED)
        wanted = values["event_types"]
        return cls(**values | {"event_types": None if wanted is None else tuple(msgspec.json.decode(wanted))})


@dataclass(frozen=True, slots=True)
class EndpointSecret:
    """An endpoint with its secret, which is shown only now."""

    endpoint: WebhookEndpoint
    secret: str


@dataclass(frozen=True, slots=True)
class EndpointChange:
    """What to change of an endpoint; None leaves it. `every_type` makes it want all types of messages."""

    url: str | None = None
    description: str | None = None
    event_types: Sequence[str] | None = None
    every_type: bool = False
    enabled: bool | None = None


class Endpoints:
    """Thread-safe; every call is one transaction. `allowed` are the private networks that may be reached."""

    def __init__(self, store: MetadataStore, clock: Clock, secrets: Secrets, allowed: Sequence[Network] = ()) -> None:
        """`clock` is the one that all hosts share."""
        self._store = store
        self._clock = clock
        self._secrets = secrets
        self._allowed = tuple(allowed)

    def create(
        self, account: Account, url: str, *, description: str = "", event_types: Sequence[str] | None = None
    ) -> EndpointSecret:
        """Raises Unprocessable for a value that cannot be used, Conflict above MOST_ENDPOINTS."""
        self._check_url(url)
        _check_description(description)
        secret, now = new_secret(), self._clock.now_us()
        values = {
            "account_id": account.id,
            "url": url,
            "description": description,
            "event_types": _encoded_types(event_types),
            "enabled": True,
            "secret_sealed": seal_secret(self._secrets, account.id, secret),
            "failures": 0,
            "created_at": now,
            "updated_at": now,
        }
        with self._store.begin() as connection:
            lock_account(connection, account.id)
            count = select(func.count()).where(_table.account_id == account.id)
            if connection.execute(count).scalar_one() >= MOST_ENDPOINTS:
                raise Conflict(f"The account has {MOST_ENDPOINTS} webhook endpoints already", hint="Delete one first")
            row = connection.execute(insert(webhook_endpoints).values(values).returning(*_LISTED)).one()
            _note(connection, account, "webhook.create", row.id, now, url=url)
        return EndpointSecret(WebhookEndpoint.from_row(row), secret)

    def get(self, account: Account, endpoint_id: int) -> WebhookEndpoint:
        """Raises NotFound, also for another account's."""
        with self._store.read() as connection:
            return _found(connection, _one(account, endpoint_id), endpoint_id)

    def listed(self, account: Account, *, after: int | None = None, limit: int = 100) -> list[WebhookEndpoint]:
        """Newest first; those with an id below `after`."""
        query = select(*_LISTED).where(_table.account_id == account.id).order_by(_table.id.desc()).limit(limit)
        if after is not None:
            query = query.where(_table.id < after)
        with self._store.read() as connection:
            return [WebhookEndpoint.from_row(row) for row in connection.execute(query)]

    def change(self, account: Account, endpoint_id: int, change: EndpointChange) -> WebhookEndpoint:
        """Change an endpoint; deliveries that wait follow it. Enabling makes what was held due at once.

        Raises Unprocessable for a value that cannot be used, NotFound.
        """
        values = self._changed_values(change)
        now = self._clock.now_us()
        with self._store.begin() as connection:
            before = _found(connection, _one(account, endpoint_id).with_for_update(key_share=True), endpoint_id)
            if values:
                connection.execute(
                    update(webhook_endpoints).where(_table.id == endpoint_id).values(values | {"updated_at": now})
                )
            _note(
                connection, account, "webhook.change", endpoint_id, now, changed=sorted(values), enabled=change.enabled
            )
            if change.enabled is not None and change.enabled != before.enabled:
                (_enable if change.enabled else disable)(connection, endpoint_id, now)
            return _found(connection, _one(account, endpoint_id), endpoint_id)

    def rotate(self, account: Account, endpoint_id: int) -> EndpointSecret:
        """A new secret. The former one signs too for GRACE_US, the one before it no longer. Raises NotFound."""
        secret, now = new_secret(), self._clock.now_us()
        values = {
            "former_secret_sealed": _table.secret_sealed,
            "former_secret_until": now + GRACE_US,
            "secret_sealed": seal_secret(self._secrets, account.id, secret),
            "updated_at": now,
        }
        own = _table.account_id == account.id, _table.id == endpoint_id
        with self._store.begin() as connection:
            row = connection.execute(
                update(webhook_endpoints).where(*own).values(values).returning(*_LISTED)
            ).one_or_none()
            if row is None:
                raise _unknown_endpoint(endpoint_id)
            _note(connection, account, "webhook.rotate", endpoint_id, now)
        return EndpointSecret(WebhookEndpoint.from_row(row), secret)

    def delete(self, account: Account, endpoint_id: int) -> None:
        """Delete an endpoint with its deliveries; what is being sent is not sent again. Raises NotFound."""
        with self._store.begin() as connection:
            _found(connection, _one(account, endpoint_id).with_for_update(), endpoint_id)
            own = select(message_deliveries.c.id).where(message_deliveries.c.endpoint_id == endpoint_id)
            connection.execute(delete(message_tries).where(message_tries.c.delivery_id.in_(own)))
            connection.execute(delete(message_deliveries).where(message_deliveries.c.endpoint_id == endpoint_id))
            connection.execute(delete(webhook_endpoints).where(_table.id == endpoint_id))
            _note(connection, account, "webhook.delete", endpoint_id, self._clock.now_us())

    def _changed_values(self, change: EndpointChange) -> dict[str, Any]:
        values: dict[str, Any] = {}
        if change.url is not None:
            self._check_url(change.url)
            values["url"] = change.url
        if change.description is not None:
            _check_description(change.description)
            values["description"] = change.description
        if change.every_type and change.event_types is not None:
            raise BadRequest("Either some event types or every type can be wanted")
        if change.every_type or change.event_types is not None:
            values["event_types"] = _encoded_types(change.event_types)
        return values

    def _check_url(self, url: str) -> None:
        if len(url) > _LONGEST_URL or not url.isprintable():
            raise Unprocessable(f"The URL must have {_LONGEST_URL} printable characters at most")
        try:
            parsed = check_url(url)
            check_target(url, self._allowed)
        except OutgoingRefused as refused:
            raise Unprocessable(refused.message, hint=refused.hint) from refused
        if parsed.userinfo:
            raise Unprocessable(
                "The URL must have no user name or password",
                hint="The signature tells who calls: see webhook-signature",
            )


def _note(connection: Connection, account: Account, action: str, endpoint_id: int, now: int, **details: object) -> None:
    note_change(connection, now, action, f"webhook {endpoint_id}", account_id=account.id, **details)


def _context(account_id: int) -> str:
    return f"webhook secret of account {account_id}"


def seal_secret(secrets: Secrets, account_id: int, secret: str) -> bytes:
    return secrets.seal(secret, _context(account_id))


def unseal_secret(secrets: Secrets, account_id: int, sealed: bytes) -> str:
    """Raises SettingError if it was sealed with another secret key."""
    return secrets.unseal(sealed, _context(account_id))


def disable(connection: Connection, endpoint_id: int, now: int, reason: str = BY_OWNER) -> None:
    """Disable an endpoint and hold its deliveries. The caller holds a lock on its row."""
    values = {"enabled": False, "disabled_reason": reason, "disabled_at": now, "updated_at": now}
    connection.execute(update(webhook_endpoints).where(_table.id == endpoint_id).values(values))
    own = message_deliveries.c.endpoint_id == endpoint_id, message_deliveries.c.state == MessageState.DUE
    connection.execute(update(message_deliveries).where(*own).values(state=MessageState.HELD, updated_at=now))


def _enable(connection: Connection, endpoint_id: int, now: int) -> None:
    values = {"enabled": True, "disabled_reason": None, "disabled_at": None, "updated_at": now}
    fresh = {"failures": 0, "failing_since": None, "resume_at": None}
    connection.execute(update(webhook_endpoints).where(_table.id == endpoint_id).values(values | fresh))
    own = message_deliveries.c.endpoint_id == endpoint_id, message_deliveries.c.state == MessageState.HELD
    due = {"state": MessageState.DUE, "attempts": 0, "due_at": now, "updated_at": now}
    connection.execute(update(message_deliveries).where(*own).values(due))


def _one(account: Account, endpoint_id: int) -> Select[Any]:
    return select(*_LISTED).where(_table.account_id == account.id, _table.id == endpoint_id)


def _found(connection: Connection, query: Select[Any], endpoint_id: int) -> WebhookEndpoint:
    row = connection.execute(query).one_or_none()
    if row is None:
        raise _unknown_endpoint(endpoint_id)
    return WebhookEndpoint.from_row(row)


def _unknown_endpoint(endpoint_id: int) -> NotFound:
    return NotFound(f"There is no webhook endpoint {endpoint_id}")


def _check_description(description: str) -> None:
    if len(description.encode(errors="surrogatepass")) > _LONGEST_DESCRIPTION or not (
        description.isprintable() or not description
    ):
        raise Unprocessable(f"The description must have {_LONGEST_DESCRIPTION} bytes of printable text at most")


def _encoded_types(event_types: Sequence[str] | None) -> str | None:
    """Raises Unprocessable for a type that there is not, and for none."""
    if event_types is None:
        return None
    wrong = next((each for each in event_types if each not in EVENT_TYPES), None)
    if wrong is not None or not event_types:
        named = "An empty list" if wrong is None else f"The type {wrong[:64]!r}"
        raise Unprocessable(
            f"{named} of events cannot be wanted", hint=f"The types are {', '.join(sorted(EVENT_TYPES))}"
        )
    return msgspec.json.encode(sorted(set(event_types))).decode()
