"""The audit trail, and the answers kept for repeated requests."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, Text

from airtally.database.tables.base import Id, metadata, numbered

audit = numbered(
    "audit",
    Column("id", Id, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("account_id", BigInteger),  # no foreign key: entries outlive their account; null: of no account
    Column("actor_kind", Text, nullable=False),  # key, user, command, server
    Column("actor", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("details", Text, nullable=False),  # JSON object
    Index(None, "account_id", "id"),
    Index(None, "at"),
)

#: Requests of the native API with an Idempotency-Key.
request_keys = Table(
    "request_keys",
    metadata,
    Column("account_id", BigInteger, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("request_sha256", Text, nullable=False),  # of method, path and body
    Column("status", Integer),  # null: under way, or the process died before it could answer
    Column("answer", LargeBinary),  # encrypted, as it may hold a new key
    Column("claimed_at", BigInteger, nullable=False),
    Index(None, "claimed_at"),
)
