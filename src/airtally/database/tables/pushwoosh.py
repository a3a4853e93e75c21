"""Declared events, attributes and tags of applications, and requested statistics."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Integer, LargeBinary, Table, Text, UniqueConstraint

from airtally.database.tables.base import Id, metadata, numbered

event_types = numbered(
    "event_types",
    Column("id", Id, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("application", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("description", Text),
    Column("track_revenue", Boolean, nullable=False),
    Column("met", Boolean, nullable=False),  # declared by a row that named it, not by a call
    Column("created_at", BigInteger, nullable=False),
    UniqueConstraint("account_id", "application", "name"),
)

event_attributes = Table(
    "event_attributes",
    metadata,
    Column("event_type_id", ForeignKey("event_types.id"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("type", Integer, nullable=False),
)

tags = numbered(
    "tags",
    Column("id", Id, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("type", Integer, nullable=False),
    Column("application_specific", Boolean, nullable=False),
    Column("user_specific", Boolean, nullable=False),
    Column("met", Boolean, nullable=False),  # declared by a row that named it, not by a call
    Column("created_at", BigInteger, nullable=False),
    UniqueConstraint("account_id", "name"),
)

#: Scheduled statistics. Each has a job of its own; `result` is JSON, or the name of a file.
statistics = Table(
    "statistics",
    metadata,
    Column("request_id", Text, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, index=True),
    Column("method", Text, nullable=False),
    Column("parameters", Text, nullable=False),  # JSON, as checked when it was asked for
    Column("status", Text, nullable=False),  # waiting, ready, failed
    Column("result", LargeBinary),
    Column("file_name", Text),
    Column("data_through", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, index=True),
)
