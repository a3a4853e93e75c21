"""Usage of accounts, and up to where the counts of buffers and file loads are in it."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Table, Text

from airtally.database.tables.base import metadata

#: Sums of one account, UTC day (days since 1970-01-01) and API.
usage = Table(
    "usage",
    metadata,
    Column("account_id", ForeignKey("accounts.id"), primary_key=True),
    Column("day", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Text, primary_key=True),  # native, files, or a vendor's name
    Column("rows_accepted", BigInteger, nullable=False),
    Column("rows_refused", BigInteger, nullable=False),
    Column("bytes_in", BigInteger, nullable=False),
    Column("requests", BigInteger, nullable=False),
    Column("rows_out", BigInteger, nullable=False),
    Column("bytes_out", BigInteger, nullable=False),
    Index(None, "day"),
)

#: The last count of each buffer that is in `usage`.
usage_positions = Table(
    "usage_positions",
    metadata,
    Column("buffer_id", Text, primary_key=True),
    Column("through", BigInteger, nullable=False),
    Column("noted_at", BigInteger, nullable=False),
    Index(None, "noted_at"),
)

#: Rows that go directly into the lake, noted before their commit; the lake says whether they came to be there.
usage_loads = Table(
    "usage_loads",
    metadata,
    Column("app_id", Text, primary_key=True),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, index=True),
    Column("stream", Text, nullable=False),
    Column("day", BigInteger, nullable=False),
    Column("rows_accepted", BigInteger, nullable=False),
    Column("rows_refused", BigInteger, nullable=False),
    Column("bytes_in", BigInteger, nullable=False),
    Column("noted_at", BigInteger, nullable=False),
    Index(None, "noted_at"),
)
