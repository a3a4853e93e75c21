"""The conventions of every table. Times are microseconds since 1970-01-01 UTC in BIGINT columns."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, Table, UniqueConstraint

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

#: SQLite gives out ids by AUTOINCREMENT (never reused) only for INTEGER PRIMARY KEY.
Id = BigInteger().with_variant(Integer, "sqlite")


def numbered(name: str, *args: Column[Any] | UniqueConstraint | Index) -> Table:
    """A table whose ids are never reused."""
    return Table(name, metadata, *args, sqlite_autoincrement=True)
