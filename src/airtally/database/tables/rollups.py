"""Which days of the lake changed, for the rollups built of them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Table, Text

from airtally.database.tables.base import metadata

#: How far a stream's log was read.
rollup_tails = Table(
    "rollup_tails",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("version", BigInteger, nullable=False),
)

#: The lake version that last added rows to an account's day.
rollup_changes = Table(
    "rollup_changes",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("account", Text, primary_key=True),
    Column("day", Text, primary_key=True),
    Column("version", BigInteger, nullable=False),
)
