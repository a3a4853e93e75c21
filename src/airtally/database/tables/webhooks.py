"""Endpoints of webhooks, the messages of accounts, their deliveries and each try of these."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, LargeBinary, Text, UniqueConstraint

from airtally.database.tables.base import Id, numbered

webhook_endpoints = numbered(
    "webhook_endpoints",
    Column("id", Id, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, index=True),
    Column("url", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("event_types", Text),  # JSON list; null for all
    Column("enabled", Boolean, nullable=False),
    Column("disabled_reason", Text),  # in words for a person; null while it is enabled
    Column("disabled_at", BigInteger),
    Column("secret_sealed", LargeBinary, nullable=False),
    Column("former_secret_sealed", LargeBinary),  # signs as well until `former_secret_until`
    Column("former_secret_until", BigInteger),
    Column("failures", Integer, nullable=False),  # tries that failed since the last that succeeded
    Column("failing_since", BigInteger),  # the first of them
    Column("resume_at", BigInteger),  # nothing is sent earlier: the receiver's `Retry-After`
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)

#: What an account is told of, once for each `key`.
messages = numbered(
    "messages",
    Column("id", Id, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("uid", Text, nullable=False, unique=True),  # the header webhook-id
    Column("event_type", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("payload", Text, nullable=False),  # the body, as it is signed
    Column("subject", Text),  # of the e-mail; null for a message without
    Column("text", Text),
    Column("attachments", Text),  # JSON list of stored files; null for a message without
    Column("created_at", BigInteger, nullable=False, index=True),
    UniqueConstraint("account_id", "key"),
)

#: One row for each endpoint or e-mail address that a message goes to.
message_deliveries = numbered(
    "message_deliveries",
    Column("id", Id, primary_key=True),
    Column("message_id", ForeignKey("messages.id"), nullable=False, index=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("channel", Text, nullable=False),  # webhook, email
    Column("endpoint_id", ForeignKey("webhook_endpoints.id")),  # null for e-mail
    Column("address", Text),  # null for a webhook
    Column("state", Text, nullable=False),  # due, sending, delivered, failed, held
    Column("attempts", Integer, nullable=False),  # since it was made or last redelivered
    Column("due_at", BigInteger, nullable=False),
    Column("lease_owner", Text),
    Column("lease_until", BigInteger),
    Column("lease_number", Integer, nullable=False),  # counts the leases of this row
    Column("sent_at", BigInteger),
    Column("status_code", Integer),  # of the last try
    Column("error", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Index(None, "channel", "state", "due_at"),
    Index(None, "account_id", "id"),
    Index(None, "endpoint_id", "state"),
)

message_tries = numbered(
    "message_tries",
    Column("id", Id, primary_key=True),
    Column("delivery_id", ForeignKey("message_deliveries.id"), nullable=False, index=True),
    Column("attempt", Integer, nullable=False),
    Column("sent_at", BigInteger, nullable=False),
    Column("duration_us", BigInteger, nullable=False),
    Column("status_code", Integer),
    Column("error", Text),
    Column("headers", Text, nullable=False),  # JSON object: an excerpt of the answer's
    Column("body", Text, nullable=False),  # its beginning
)
