"""The metadata store's tables, one file a subject."""

from airtally.database.tables.accounts import (
    accounts,
    keys,
    login_tries,
    one_time_links,
    owners,
    rate_limits,
    sessions,
    tokens,
    users,
)
from airtally.database.tables.alarms import alarms
from airtally.database.tables.audit import audit, request_keys
from airtally.database.tables.base import metadata
from airtally.database.tables.erasure import account_exports, erasure_acks, erasure_steps, erasures
from airtally.database.tables.exports import export_parts, exports
from airtally.database.tables.home import home
from airtally.database.tables.ingest import claims, file_marks, quarantine, writers
from airtally.database.tables.jobs import job_turns, jobs
from airtally.database.tables.pushwoosh import event_attributes, event_types, statistics, tags
from airtally.database.tables.reports import deliveries, reports
from airtally.database.tables.rollups import rollup_changes, rollup_tails
from airtally.database.tables.scaleengine import replays
from airtally.database.tables.schedules import schedule_runs, schedules
from airtally.database.tables.slate import (
    dataset_files,
    datasets,
    publications,
    slate_accounts,
    slate_businesses,
    slate_codes,
    slate_groups,
)
from airtally.database.tables.tasks import tasks
from airtally.database.tables.usage import usage, usage_loads, usage_positions
from airtally.database.tables.webhooks import message_deliveries, message_tries, messages, webhook_endpoints

__all__ = [
    "account_exports",
    "accounts",
    "alarms",
    "audit",
    "claims",
    "dataset_files",
    "datasets",
    "deliveries",
    "erasure_acks",
    "erasure_steps",
    "erasures",
    "event_attributes",
    "event_types",
    "export_parts",
    "exports",
    "file_marks",
    "home",
    "job_turns",
    "jobs",
    "keys",
    "login_tries",
    "message_deliveries",
    "message_tries",
    "messages",
    "metadata",
    "one_time_links",
    "owners",
    "publications",
    "quarantine",
    "rate_limits",
    "replays",
    "reports",
    "request_keys",
    "rollup_changes",
    "rollup_tails",
    "schedule_runs",
    "schedules",
    "sessions",
    "slate_accounts",
    "slate_businesses",
    "slate_codes",
    "slate_groups",
    "statistics",
    "tags",
    "tasks",
    "tokens",
    "usage",
    "usage_loads",
    "usage_positions",
    "users",
    "webhook_endpoints",
    "writers",
]
