"""Signatures that were used, so that none is accepted twice."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Table, Text

from airtally.database.tables.base import metadata

replays = Table(
    "replays",
    metadata,
    Column("signature_hash", Text, primary_key=True),
    Column("expires_at", BigInteger, nullable=False, index=True),
)
