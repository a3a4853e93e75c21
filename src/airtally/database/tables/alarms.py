"""The alarms of accounts, with their state."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, Text

from airtally.database.tables.base import Id, numbered

alarms = numbered(
    "alarms",
    Column("id", Id, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("condition", Text, nullable=False),  # JSON: its kind and what that kind needs
    Column("recipients", Text, nullable=False),  # JSON
    Column("state", Text, nullable=False),  # ok, firing
    Column("since", BigInteger, nullable=False),  # when it came into this state
    Column("says", Text, nullable=False),  # what the last check found, for a person
    Column("changes", Integer, nullable=False),  # how often the state has changed: names the notice
    Column("checks", Integer, nullable=False),  # fences changes made after an earlier reading
    Column("checked_at", BigInteger, nullable=False, index=True),
    Column("held_us", BigInteger),  # how long checks have found the condition true; null if the last did not
    Column("last_row_at", BigInteger),  # of a silent stream: the last row that was found
    Column("looked_through", BigInteger),  # and up to which moment rows were looked for
    Column("positions", Text),  # JSON: the last sequences that were found, by writer; null before the first check
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)
