"""The metadata store's tables. Times are microseconds since 1970-01-01 UTC in BIGINT columns."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

#: SQLite gives out ids by AUTOINCREMENT (never reused) only for INTEGER PRIMARY KEY.
_Id = BigInteger().with_variant(Integer, "sqlite")


def _table(name: str, *args: Column[Any] | UniqueConstraint | Index) -> Table:
    return Table(name, metadata, *args, sqlite_autoincrement=True)


accounts = _table(
    "accounts",
    Column("id", _Id, primary_key=True),
    Column("slug", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("timezone", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

users = _table(
    "users",
    Column("id", _Id, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, index=True),
    Column("username", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("email", Text, nullable=False),
    Column("group_id", Integer, nullable=False),
    Column("group_name", Text, nullable=False),
    Column("password_hash", Text, nullable=False),
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

keys = _table(
    "keys",
    Column("id", _Id, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("lookup_hash", Text, nullable=False),  # keyed hash of what a caller presents first
    Column("secret_hash", Text),  # keyed hash of a secret that is presented beside the first (Slate's client secret)
    Column("secret_sealed", LargeBinary),  # encrypted: only for what must be read back (HMAC secrets)
    Column("hint", Text, nullable=False),  # last characters, to tell keys apart in a listing
    Column("scopes", Text, nullable=False),  # JSON list
    Column("details", Text, nullable=False),  # JSON object: applications, denied endpoints, CDN number, ...
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("revoked_at", BigInteger),
    Column("last_used_at", BigInteger),
    UniqueConstraint("kind", "lookup_hash"),
)

#: What a key was traded for, or is issued with: OAuth access and refresh tokens. They die with their key.
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

jobs = _table(
    "jobs",
    Column("id", _Id, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),  # what the job is about, such as a report's id
    Column("account_id", ForeignKey("accounts.id"), index=True),
    Column("state", Text, nullable=False),  # ready, running, done, failed
    Column("run_at", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("lease_owner", Text),
    Column("lease_until", BigInteger),
    Column("progress_done", BigInteger, nullable=False),
    Column("progress_total", BigInteger),
    Column("error", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    UniqueConstraint("kind", "subject"),
    Index(None, "state", "run_at"),
)

reports = _table(
    "reports",
    Column("id", _Id, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, index=True),
    Column("type", Text, nullable=False),
    Column("format", Text, nullable=False),
    Column("filter", Text, nullable=False),  # JSON, the normalised echo
    Column("webhook", Text),
    Column("status", Text, nullable=False),  # waiting, success, failed
    Column("error", Text),  # why it failed, in words for a person
    Column("file_name", Text),
    Column("file_rows", BigInteger),
    Column("file_bytes", BigInteger),
    Column("file_sha256", Text),
    Column("file_expires_at", BigInteger),
    Column("file_deleted_at", BigInteger),
    Column("data_through", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)

#: One row for each try to deliver a notice.
deliveries = _table(
    "deliveries",
    Column("id", _Id, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, index=True),
    Column("report_id", ForeignKey("reports.id"), nullable=False, index=True),
    Column("url", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("attempt", Integer, nullable=False),  # 1 to 4; 0 for one asked for by command
    Column("state", Text, nullable=False),  # due, sending, acknowledged, refused
    Column("due_at", BigInteger, nullable=False),
    Column("lease_owner", Text),
    Column("lease_until", BigInteger),
    Column("sent_at", BigInteger),
    Column("status_code", Integer),
    Column("error", Text),
    Column("created_at", BigInteger, nullable=False),
    Index(None, "state", "due_at"),
)

#: `Idempotency-Key` claims; `answer` is null while the first request is under way.
claims = Table(
    "claims",
    metadata,
    Column("account_id", ForeignKey("accounts.id"), primary_key=True),
    Column("stream", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("body_sha256", Text, nullable=False),
    Column("buffer_id", Text, nullable=False),  # the buffer that knows whether the rows were committed
    Column("claimed_at", BigInteger, nullable=False),
    Column("answer", LargeBinary),
    Index(None, "claimed_at"),
    Index(None, "buffer_id"),
)

#: Rejected rows, one entry for each batch that had some: zstd NDJSON of {line, field, error, raw}.
quarantine = _table(
    "quarantine",
    Column("id", _Id, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, index=True),
    Column("stream", Text, nullable=False),
    Column("source", Text, nullable=False),  # "http" or the file's name
    Column("source_key", Text, unique=True),  # makes a file's entries repeatable after a crash
    Column("rows", BigInteger, nullable=False),
    Column("first_error", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("resent_at", BigInteger),
)

#: One row for each running process with a buffer; tells how far its rows have reached the lake.
nodes = Table(
    "nodes",
    metadata,
    Column("buffer_id", Text, primary_key=True),
    Column("host", Text, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    Column("data_through", BigInteger, nullable=False),
    Column("flush_wanted_at", BigInteger, nullable=False),
)

rate_limits = Table(
    "rate_limits",
    metadata,
    Column("key", Text, primary_key=True),
    Column("last_call_at", BigInteger, nullable=False),
    Column("allowed", Boolean, nullable=False),  # whether that last call was
    Index(None, "last_call_at"),
)
