"""The versions of the program that have opened a home."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Table, Text

from airtally.database.tables.base import metadata

#: `name` is `made by` or `opened by` (the program), `stream NAME` or `rollup NAME` (the newest version declared).
home = Table(
    "home",
    metadata,
    Column("name", Text, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("program", Text, nullable=False),
)
