"""Jobs of every kind, and whose turn it is."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Table, Text, UniqueConstraint

from airtally.database.tables.base import Id, metadata, numbered

jobs = numbered(
    "jobs",
    Column("id", Id, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),  # what the job is about, such as a report's id
    Column("account_id", ForeignKey("accounts.id"), index=True),
    Column("state", Text, nullable=False),  # ready, running, done, failed, cancelled
    Column("run_at", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("attempts_before", Integer, nullable=False, server_default="0"),  # those before it was last begun anew
    Column("lease_owner", Text),
    Column("lease_until", BigInteger),
    Column("progress_done", BigInteger, nullable=False),
    Column("progress_total", BigInteger),
    Column("error", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    UniqueConstraint("kind", "subject"),
    Index(None, "state", "run_at"),
    Index(None, "kind", "state", "account_id", "run_at", "id"),
)

#: The number of the turn in which each account last had a job of a kind started.
job_turns = Table(
    "job_turns",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), primary_key=True),
    Column("turn", BigInteger, nullable=False),
)
