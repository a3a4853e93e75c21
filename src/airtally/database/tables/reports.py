"""Reports, and the deliveries of their notices."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Text

from airtally.database.tables.base import Id, numbered

reports = numbered(
    "reports",
    Column("id", Id, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, index=True),
    Column("type", Text, nullable=False),
    Column("format", Text, nullable=False),
    Column("filter", Text, nullable=False),  # JSON, the normalised echo
    Column("webhook", Text),
    Column("status", Text, nullable=False),  # waiting, success, failed
    Column("error", Text),  # why it failed, in words for a person
    Column("file_name", Text),
    Column("file_rows", BigInteger),
    Column("file_bytes", BigInteger),
    Column("file_sha256", Text),
    Column("file_expires_at", BigInteger),
    Column("file_deleted_at", BigInteger),
    Column("data_through", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)

#: One row for each try to deliver a notice.
deliveries = numbered(
    "deliveries",
    Column("id", Id, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, index=True),
    Column("report_id", ForeignKey("reports.id"), nullable=False, index=True),
    Column("url", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("attempt", Integer, nullable=False),  # 1 to 4; 0 for one asked for by command
    Column("state", Text, nullable=False),  # due, sending, acknowledged, refused
    Column("due_at", BigInteger, nullable=False),
    Column("lease_owner", Text),
    Column("lease_until", BigInteger),
    Column("lease_number", Integer, nullable=False, server_default="0"),  # counts the leases of this row
    Column("sent_at", BigInteger),
    Column("status_code", Integer),
    Column("error", Text),
    Column("duration_us", BigInteger),  # null before the try, and for tries before 0.3
    Column("answer_headers", Text),  # JSON, an excerpt; null where none came
    Column("answer_body", Text),  # its beginning
    Column("created_at", BigInteger, nullable=False),
    Index(None, "state", "due_at"),
    Index(None, "state", "account_id", "due_at"),
)
