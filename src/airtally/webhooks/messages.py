"""Adds messages to the queue, in the transaction of what they tell of."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, insert, select

from airtally.accounts.accounts import Account
from airtally.database.store import MetadataStore
from airtally.database.tables import message_deliveries, messages, users, webhook_endpoints
from airtally.kit.clock import Clock
from airtally.kit.time import to_datetime
from airtally.webhooks.event_types import EVENT_TYPES
from airtally.webhooks.retry import earliest_us
from airtally.webhooks.states import Channel, MessageState

#: Bytes of a message's body at most: receivers expect small ones, with links to what is large.
MOST_BYTES = 64 << 10
#: Many mail servers refuse messages above 10 MB, and base64 adds a third.
MOST_ATTACHED_BYTES = 5 << 20


@dataclass(frozen=True, slots=True)
class Recipients:
    """Who gets a message: endpoints by id, whatever types they want, and e-mail addresses.

    `every_endpoint`: also all endpoints of the account that want the type. `users`: also all users of the account, where there is a
    mail server.
    """

    endpoints: tuple[int, ...] = ()
    addresses: tuple[str, ...] = ()
    every_endpoint: bool = False
    users: bool = False


#: The endpoints that want the message's type.
SUBSCRIBERS = Recipients(every_endpoint=True)


class MailAttachment(msgspec.Struct, frozen=True):
    """A file that is sent along, read when the message is sent. `stored_name` is its name in the file store."""

    name: str
    media_type: str
    stored_name: str


@dataclass(frozen=True, slots=True)
class MailText:
    """A message in words, for people who get it by e-mail. Files of at most MOST_ATTACHED_BYTES in all go with it."""

    subject: str
    text: str
    attachments: tuple[MailAttachment, ...] = ()


class Messages:
    """Adds messages. Thread-safe: it has no state of its own."""

    def __init__(self, store: MetadataStore, clock: Clock, *, mails: bool) -> None:
        """`clock` is the one that all hosts share; `mails`: whether there is a mail server."""
        self._store = store
        self._clock = clock
        self.mails = mails

    def enqueue(
        self,
        connection: Connection,
        account: Account,
        event_type: str,
        payload: Mapping[str, Any],
        key: str,
        *,
        to: Recipients = SUBSCRIBERS,
        mail: MailText | None = None,
    ) -> str | None:
        """Add a message in the caller's transaction, and a delivery for each recipient; returns its webhook-id.

        None, and nothing is added, if the account had a message with this `key` before. `payload` becomes the member
        `data`. Recipients that are gone, or another account's, are left out; an endpoint that is disabled gets the
        message once it is enabled. Raises ValueError for an unknown type, a body above MOST_BYTES, and e-mail
        recipients without `mail`.
        """
        now = self._clock.now_us()
        if (to.addresses or to.users) and mail is None:
            raise ValueError("a message to e-mail addresses needs a text")
        uid = f"msg_{secrets.token_hex(16)}"
        row = {
            "account_id": account.id,
            "uid": uid,
            "event_type": event_type,
            "key": key,
            "payload": _body(event_type, payload, now),
            "subject": None if mail is None else mail.subject,
            "text": None if mail is None else mail.text,
            "attachments": None if mail is None else _encoded_attachments(mail),
            "created_at": now,
        }
        added = (
            self._store.upserts.insert(messages)
            .values(row)
            .on_conflict_do_nothing(index_elements=["account_id", "key"])
        )
        message_id = connection.execute(added.returning(messages.c.id)).scalar_one_or_none()
        if message_id is None:
            return None
        base = {"message_id": message_id, "account_id": account.id, **_NEW, "created_at": now, "updated_at": now}
        rows = [
            base | each
            for each in (
                *_to_endpoints(connection, account, event_type, to, now),
                *_to_people(connection, account, to.addresses, users_too=to.users and self.mails),
            )
        ]
        if rows:
            connection.execute(insert(message_deliveries), [{"due_at": now} | each for each in rows])
        return uid


_NEW: Mapping[str, Any] = {
    "attempts": 0,
    "lease_number": 0,
    "state": MessageState.DUE,
    "endpoint_id": None,
    "address": None,
}


def _encoded_attachments(mail: MailText) -> str | None:
    return msgspec.json.encode(mail.attachments).decode() if mail.attachments else None


def _body(event_type: str, payload: Mapping[str, Any], now: int) -> str:
    """The JSON text `{"type", "timestamp", "data"}`, compact, as it is signed and sent on every try."""
    if event_type not in EVENT_TYPES:
        raise ValueError(f"the type {event_type!r} is not in event_types.py")
    timestamp = to_datetime(now).isoformat(timespec="microseconds").replace("+00:00", "Z")
    body = msgspec.json.encode({"type": event_type, "timestamp": timestamp, "data": dict(payload)})
    if len(body) > MOST_BYTES:
        raise ValueError(f"the body of a message has {len(body)} bytes, at most {MOST_BYTES} may be")
    return body.decode()


def _to_endpoints(
    connection: Connection, account: Account, event_type: str, to: Recipients, now: int
) -> Sequence[dict[str, Any]]:
    """The endpoints are locked against deletion until the transaction ends. One disabled meanwhile is seen by the sender."""
    if not (to.endpoints or to.every_endpoint):
        return []
    table = webhook_endpoints.c
    query = select(table.id, table.event_types, table.enabled, table.resume_at).where(table.account_id == account.id)
    found = connection.execute(query.order_by(table.id).with_for_update(read=True, key_share=True)).all()
    return [
        {
            "channel": Channel.WEBHOOK,
            "endpoint_id": row.id,
            "state": MessageState.DUE if row.enabled else MessageState.HELD,
            "due_at": earliest_us(row.resume_at, now),
        }
        for row in found
        if row.id in to.endpoints or (to.every_endpoint and _wants(row.event_types, event_type))
    ]


def _wants(event_types: str | None, event_type: str) -> bool:
    return event_types is None or event_type in msgspec.json.decode(event_types, type=list[str])


def _to_people(
    connection: Connection, account: Account, addresses: Sequence[str], *, users_too: bool
) -> Sequence[dict[str, Any]]:
    every = list(addresses)
    if users_too:
        query = select(users.c.email).where(users.c.account_id == account.id).order_by(users.c.id)
        every += connection.execute(query).scalars()
    return [{"channel": Channel.EMAIL, "address": each} for each in dict.fromkeys(every)]
