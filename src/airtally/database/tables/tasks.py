"""Tasks: long work that somebody asked for, and what came of it."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Text

from airtally.database.tables.base import Id, numbered

tasks = numbered(
    "tasks",
    Column("id", Id, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), index=True),  # null for work on the server's own stores
    Column("kind", Text, nullable=False),  # also the kind of its job
    Column("action", Text, nullable=False),  # what is to be done, as the worker of the kind knows it
    Column("subject", Text, nullable=False),  # and to what; empty: to all
    Column("state", Text, nullable=False),  # waiting, running, done, failed
    Column("waits_as", Text, unique=True),  # while it waits: what it is, so that the same does not wait twice
    Column("results", Text, nullable=False),  # JSON: a list of objects, one for each step that was done
    Column("error", Text),
    Column("requested_by", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger, index=True),
    Index(None, "kind", "subject", "id"),
)
