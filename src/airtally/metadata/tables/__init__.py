"""The metadata store's tables, one file a subject."""

from airtally.metadata.tables.accounts import accounts, keys, login_tries, owners, rate_limits, sessions, tokens, users
from airtally.metadata.tables.base import metadata
from airtally.metadata.tables.home import home
from airtally.metadata.tables.ingest import claims, file_marks, nodes, quarantine
from airtally.metadata.tables.jobs import job_turns, jobs
from airtally.metadata.tables.pushwoosh import event_attributes, event_types, statistics, tags
from airtally.metadata.tables.reports import deliveries, reports
from airtally.metadata.tables.rollups import rollup_changes, rollup_tails
from airtally.metadata.tables.scaleengine import replays
from airtally.metadata.tables.slate import (
    dataset_files,
    datasets,
    publications,
    slate_accounts,
    slate_businesses,
    slate_codes,
    slate_groups,
)

__all__ = [
    "accounts",
    "claims",
    "dataset_files",
    "datasets",
    "deliveries",
    "event_attributes",
    "event_types",
    "file_marks",
    "home",
    "job_turns",
    "jobs",
    "keys",
    "login_tries",
    "metadata",
    "nodes",
    "owners",
    "publications",
    "quarantine",
    "rate_limits",
    "replays",
    "reports",
    "rollup_changes",
    "rollup_tails",
    "sessions",
    "slate_accounts",
    "slate_businesses",
    "slate_codes",
    "slate_groups",
    "statistics",
    "tags",
    "tokens",
    "users",
]
