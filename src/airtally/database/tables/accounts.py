"""Accounts, their keys, users, sessions, external ids and rate limits."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
)

from airtally.database.tables.base import Id, metadata, numbered

accounts = numbered(
    "accounts",
    Column("id", Id, primary_key=True),
    Column("slug", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("timezone", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("closed_at", BigInteger),  # null for an open account
    Column("delete_at", BigInteger),  # when the data of a closed account is to be deleted
    Column("deleted_at", BigInteger),  # from then on the row is all that is left
)

users = numbered(
    "users",
    Column("id", Id, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, index=True),
    Column("username", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("email", Text, nullable=False),
    Column("group_id", Integer, nullable=False),
    Column("group_name", Text, nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("role", Text, nullable=False, server_default="viewer"),  # viewer, admin, operator
    Column("created_at", BigInteger, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", Text, primary_key=True),
    Column("user_id", ForeignKey("users.id"), nullable=False, index=True),
    Column("csrf_token", Text, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)

#: Links that work once, by the keyed hashes of their tokens.
one_time_links = Table(
    "one_time_links",
    metadata,
    Column("token_hash", Text, primary_key=True),
    Column("purpose", Text, nullable=False),  # setup, sign-in
    Column("user_id", ForeignKey("users.id"), index=True),  # null for a link that makes the first user
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)

keys = numbered(
    "keys",
    Column("id", Id, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("lookup_hash", Text, nullable=False),  # keyed hash of what a caller presents first
    Column("secret_hash", Text),  # keyed hash of a secret that is presented beside the first (Slate's client secret)
    Column("secret_sealed", LargeBinary),  # encrypted: only for what must be read back (HMAC secrets)
    Column("shortest_secret", Integer),  # characters; null (unknown) for keys made before 0.3
    Column("hint", Text, nullable=False),  # last characters, to tell keys apart in a listing
    Column("scopes", Text, nullable=False),  # JSON list
    Column("details", Text, nullable=False),  # JSON object: applications, denied endpoints, CDN number, ...
    Column("user_id", BigInteger, index=True),  # of users; null: a key of the account, not a user's token
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("revoked_at", BigInteger),
    Column("last_used_at", BigInteger),
    Column("name", Text),  # for people; null for a key without one
    UniqueConstraint("kind", "lookup_hash"),
)

#: OAuth access and refresh tokens of keys. They are valid only as long as their key is.
tokens = Table(
    "tokens",
    metadata,
    Column("token_hash", Text, primary_key=True),
    Column("key_id", ForeignKey("keys.id"), nullable=False, index=True),
    Column("use", Text, nullable=False),  # access, refresh
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Index(None, "expires_at"),
)

#: The only place that knows which account owns an ad group, application code, CDN number or report id.
owners = Table(
    "owners",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("external_id", Text, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, index=True),
)

rate_limits = Table(
    "rate_limits",
    metadata,
    Column("key", Text, primary_key=True),
    Column("last_call_at", BigInteger, nullable=False),
    Column("allowed", Boolean, nullable=False),  # whether that last call was
    Index(None, "last_call_at"),
)

#: Failed log-ins by hashes of addresses, users and devices; used on PostgreSQL only.
login_tries = Table(
    "login_tries",
    metadata,
    Column("key", Text, primary_key=True),
    Column("failures", Double, nullable=False),
    Column("last_at", BigInteger, nullable=False),
    Index(None, "last_at"),
)
