"""Exports of rows and of answers, and the parts that their files are."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Table, Text, UniqueConstraint

from airtally.database.tables.base import Id, metadata, numbered

exports = numbered(
    "exports",
    Column("id", Id, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("key", Text),  # unique in the account; null: asked for without
    Column("spec", Text, nullable=False),  # JSON
    Column("requested_by", Text, nullable=False),
    Column("as_of", BigInteger, nullable=False),  # the moment that ranges such as `yesterday` refer to
    Column("state", Text, nullable=False),  # queued, done, failed, cancelled, expired; running is the job's
    Column("pin", Text),  # the stored file that says what its rows are read from; null before, and for figures
    Column("error", Text),  # why it failed, in words for a person
    Column("parts", Integer, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("data_through", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("started_at", BigInteger),
    Column("finished_at", BigInteger),
    Column("expires_at", BigInteger),  # null until it is done
    Column("files_deleted_at", BigInteger),
    UniqueConstraint("account_id", "key"),
    Index(None, "account_id", "id"),
    Index(None, "state", "finished_at"),
)

#: Finished parts; those of an export that is not done yet are kept for the worker that goes on with it. Lanes are made
#: side by side, their parts one after the other.
export_parts = Table(
    "export_parts",
    metadata,
    Column("export_id", ForeignKey("exports.id"), primary_key=True),
    Column("lane", Integer, primary_key=True),
    Column("place", Integer, primary_key=True),
    Column("number", Integer),  # from 1 through all lanes; null until the export is done
    Column("next_unit", Integer),  # where its lane goes on after it; null where it cannot go on there
    Column("next_skip", BigInteger),
    Column("stored_name", Text, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    Index(None, "export_id", "number"),
)
