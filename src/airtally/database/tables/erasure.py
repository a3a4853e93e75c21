"""Erasures of persons, deletions of accounts, and exports of whole accounts."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, LargeBinary, Table, Text

from airtally.database.tables.base import Id, metadata, numbered

#: `subject` is sealed JSON of the person's ids until the erasure is done, then null; `hashes` stay.
erasures = numbered(
    "erasures",
    Column("id", Id, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("kind", Text, nullable=False),  # person, account
    Column("state", Text, nullable=False),  # waiting, erasing, erased, done
    Column("subject", LargeBinary),
    Column("hashes", Text, nullable=False),  # JSON: keyed hashes of the ids, by kind of id
    Column("requested_by", Text, nullable=False),
    Column("waiting_for", Text, nullable=False),  # JSON: hosts whose writers have not moved their rows yet
    Column("through", BigInteger),  # rows received by then are erased
    Column("error", Text),  # why the last try failed
    Column("created_at", BigInteger, nullable=False),
    Column("erased_at", BigInteger),
    Column("done_at", BigInteger),
    Index(None, "account_id", "id"),
    Index(None, "state"),
    Index(None, "through"),
)

#: What was found and erased, step by step. A step of the lake is `prepared` before its commit.
erasure_steps = numbered(
    "erasure_steps",
    Column("id", Id, primary_key=True),
    Column("erasure_id", ForeignKey("erasures.id"), nullable=False),
    Column("store", Text, nullable=False),  # lake, quarantine, files, ...
    Column("part", Text, nullable=False),  # a stream, with its day where it has days
    Column("state", Text, nullable=False),  # prepared, done, undone
    Column("found", BigInteger, nullable=False),
    Column("erased", BigInteger, nullable=False),
    Column("remains", BigInteger, nullable=False),
    Column("why", Text),  # why something remains
    Column("files", Text, nullable=False),  # JSON: names of lake files that were replaced
    Column("noted_at", BigInteger, nullable=False),
    Index(None, "erasure_id", "id"),
)

#: Writers that have moved all rows received by `through` (their own clock) into the lake, for an erasure.
erasure_acks = Table(
    "erasure_acks",
    metadata,
    Column("erasure_id", ForeignKey("erasures.id"), primary_key=True),
    Column("buffer_id", Text, primary_key=True),
    Column("host", Text, nullable=False),
    Column("through", BigInteger, nullable=False),
)

account_exports = numbered(
    "account_exports",
    Column("id", Id, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("state", Text, nullable=False),  # waiting, ready, failed, deleted
    Column("files", Text, nullable=False),  # JSON list of {name, rows, bytes, sha256}
    Column("data_through", BigInteger),
    Column("error", Text),
    Column("requested_by", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("expires_at", BigInteger),
    Index(None, "account_id", "id"),
    Index(None, "expires_at"),
)
