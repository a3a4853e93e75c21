"""Puts the parts of exports together."""

from __future__ import annotations

from dataclasses import dataclass

from airtally.accounts.secrets import Secrets
from airtally.database.store import MetadataStore
from airtally.engine.child import HeavyOptions
from airtally.engine.child_process import ChildProcess
from airtally.exports.expiry import ExportExpiry
from airtally.exports.export import ExportLimits
from airtally.exports.lanes import PartLimits
from airtally.exports.ledger import ExportLedger
from airtally.exports.links import ExportLinks
from airtally.exports.planner import ExportPlanner
from airtally.exports.render import ExportRenderer, RenderOptions
from airtally.exports.service import Exports
from airtally.files.store import FileStore
from airtally.jobs.queue import Jobs
from airtally.kit.clock import Clock
from airtally.kit.signing import LinkSigner
from airtally.query.service import Queries
from airtally.query.sql_service import SqlQueries
from airtally.settings import Settings
from airtally.storage.store import EventStore


@dataclass(frozen=True, slots=True)
class ExportServices:
    """Exports: what callers ask of them, what workers note of them, what renders them, links, and what deletes them."""

    exports: Exports
    ledger: ExportLedger
    planner: ExportPlanner
    renderer: ExportRenderer
    links: ExportLinks
    expiry: ExportExpiry


@dataclass(frozen=True, slots=True)
class ExportContext:
    """What exports are made of, and where their files go. `runner` is the child process for heavy work."""

    store: MetadataStore
    clock: Clock
    jobs: Jobs
    secrets: Secrets
    queries: Queries
    sql: SqlQueries
    event_store: EventStore
    runner: ChildProcess
    files: FileStore


def export_services(context: ExportContext, settings: Settings, planner: ExportPlanner) -> ExportServices:
    store, clock, jobs = context.store, context.clock, context.jobs
    limits = ExportLimits(settings.waiting_exports, settings.exports_max, settings.export_days)
    options = RenderOptions(
        HeavyOptions(settings.engine_memory, settings.home / "tmp"),
        PartLimits(settings.export_part_rows, settings.export_part_bytes),
    )
    renderer = ExportRenderer(context.queries, context.sql, context.event_store, context.runner, options)
    exports = Exports(store, clock, jobs=jobs, planner=planner, count_rows=renderer.count_rows, limits=limits)
    signer = LinkSigner(context.secrets.subkey("exports"))
    return ExportServices(
        exports,
        ExportLedger(store, clock, jobs, exports.endings, limits),
        planner,
        renderer,
        ExportLinks(settings.public_url, signer, settings.export_link_seconds, settings.export_days),
        ExportExpiry(store, context.files, clock, settings.home / "staging"),
    )
