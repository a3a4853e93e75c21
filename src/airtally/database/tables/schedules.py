"""Schedules, and their runs: one for each slot that came due."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, Text, UniqueConstraint

from airtally.database.tables.base import Id, numbered

schedules = numbered(
    "schedules",
    Column("id", Id, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("cron", Text, nullable=False),
    Column("timezone", Text),  # null: the account's
    Column("jitter_seconds", Integer, nullable=False),
    Column("product", Text, nullable=False),  # JSON: what is made
    Column("deliver", Text, nullable=False),  # JSON: who gets it
    Column("catch_up", Text, nullable=False),  # latest, all
    Column("late_minutes", Integer, nullable=False),
    Column("most_failures", Integer, nullable=False),
    Column("state", Text, nullable=False),  # active, paused
    Column("pause_reason", Text),  # in words for a person; null while active
    Column("failures", Integer, nullable=False),  # runs that failed since the last that succeeded
    Column("requested_by", Text, nullable=False),
    Column("planned_zone", Text, nullable=False),  # the zone in which `next_at` was found
    Column("planned_through", BigInteger, nullable=False),  # every slot up to then has a run, or will have none
    Column("planned_at", BigInteger, nullable=False),  # what the clock was then
    Column("next_at", BigInteger),  # when the next slot is due, its jitter included; null if none comes
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Index(None, "account_id", "id"),
    Index(None, "state", "next_at"),
)

schedule_runs = numbered(
    "schedule_runs",
    Column("id", Id, primary_key=True),
    Column("schedule_id", ForeignKey("schedules.id"), nullable=False),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("slot_at", BigInteger, nullable=False),  # of a run that was asked for: when that was
    Column("first_slot_at", BigInteger),  # of a row for several skipped slots, the first of them; null for one
    Column("asked", Boolean, nullable=False),  # by a person or program, not by the cron expression
    Column("as_of", BigInteger, nullable=False),  # the moment that ranges such as `yesterday` refer to
    Column("due_at", BigInteger, nullable=False),
    Column("state", Text, nullable=False),  # waiting, making, delivering, done, failed, skipped
    Column("reason", Text),  # why it failed, was skipped or waits, in words for a person
    Column("export_id", BigInteger),
    Column("report_id", BigInteger),
    Column("message_uid", Text),  # the message by which it was delivered
    Column("started_at", BigInteger),
    Column("ended_at", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    UniqueConstraint("schedule_id", "slot_at"),
    Index(None, "schedule_id", "state", "slot_at"),
    Index(None, "state", "due_at"),
    Index(None, "ended_at"),
)
