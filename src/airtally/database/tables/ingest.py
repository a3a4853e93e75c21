"""Idempotency claims, quarantine, writers and positions in loaded files."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, LargeBinary, Table, Text

from airtally.database.tables.base import Id, metadata, numbered

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
quarantine = numbered(
    "quarantine",
    Column("id", Id, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, index=True),
    Column("stream", Text, nullable=False),
    Column("source", Text, nullable=False),  # "http" or the file's name
    Column("source_key", Text, unique=True),  # lets a file that is loaded again after a crash replace its entries
    Column("rows", BigInteger, nullable=False),
    Column("first_error", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("resent_at", BigInteger),
)

#: One row for each process with a buffer whose rows are not all in the lake; says how far they are.
writers = Table(
    "nodes",  # as 0.1.0 called it: a program that is being replaced reads and writes it too
    metadata,
    Column("buffer_id", Text, primary_key=True),
    Column("host", Text, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    Column("data_through", BigInteger, nullable=False),
    Column("flush_wanted_at", BigInteger, nullable=False),
)

#: What files held up to where they were loaded (`ingest/marks.py`); the lake says how far that is.
file_marks = Table(
    "file_marks",
    metadata,
    Column("account_id", ForeignKey("accounts.id"), primary_key=True),
    Column("stream", Text, primary_key=True),
    Column("app_id", Text, primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("begins_at", BigInteger, nullable=False),
    Column("digest", Text, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("tail", Text),
    Column("tail_at", BigInteger, nullable=False),
    Column("tail_line", BigInteger, nullable=False),
    Column("whole", Boolean, nullable=False),
    Column("noted_at", BigInteger, nullable=False),
    Index(None, "account_id", "stream", "name"),
    Index(None, "account_id", "stream", "digest"),
)
