"""Builds the background work of a process: flushing, lake maintenance, rollups, files, deliveries, schedules."""

from __future__ import annotations

import threading

from airtally.alarms.watch import CHECK_SECONDS
from airtally.datasets.asked import DatasetTaskWorker
from airtally.datasets.lateness import LateNotices
from airtally.datasets.work import PublicationOptions, PublicationWorker
from airtally.engine.child import HeavyOptions
from airtally.erasure.memory import Forgetting
from airtally.exports.work import ExportParts, ExportWorker, ExportWorkOptions, LargeExportWorker
from airtally.ingest.claims import Claims
from airtally.kit.loops import Loop
from airtally.kit.outgoing import Outgoing
from airtally.lake_care.actions import LakeCare
from airtally.lake_care.worker import LakeTaskWorker
from airtally.reports.build import BuildOptions, ReportBuilder
from airtally.reports.deliveries import DeliveryLoop
from airtally.reports.render import ReportRenderer
from airtally.rollups.rebuild import Rebuilder
from airtally.services import Background, Role, Services
from airtally.statistics.worker import StatisticsWorker
from airtally.storage.buffer import Buffer
from airtally.storage.flush import Flusher, FlushPolicy
from airtally.storage.lake.maintenance import Maintenance
from airtally.vendors.fouryousee.detailed import DETAILED

WRITER_SECONDS = 2.0
#: Seconds between checks whether a newer version has changed the home.
HOME_SECONDS = 5.0
#: Seconds until a process forgets the answers that it keeps of erased rows.
FORGET_SECONDS = 5.0
#: Seconds between additions to the stored usage.
USAGE_SECONDS = 5.0


def background_of(services: Services, role: Role) -> tuple[Background, ...]:
    """The background work of a process with this role. The first to start is the last to stop."""
    found: list[Background] = [Loop("home", lambda: services.superseded.look(services.store), HOME_SECONDS)]
    if services.storage.buffer is not None and services.intake.claims is not None:
        found += _row_work(services, services.storage.buffer, services.intake.claims)
    if role:
        forgetting = Forgetting(services.store, services.queries.forget)
        found.append(Loop("forgetting", forgetting.step, FORGET_SECONDS))
        found.append(Loop("maps", services.storage.maps.step, 1.0))
    if Role.JOBS in role:
        found += _lake_work(services)
        found += _report_work(services)
        found += _dataset_work(services)
        found += export_work(services)
        found += _message_work(services)
        found.append(_schedule_work(services))
        found.append(Loop("alarms", services.alarms.watch.step, CHECK_SECONDS))
        found.append(_statistics_work(services))
        found += [services.privacy.worker(), services.privacy.account_export_worker()]
        found.append(Loop("account-export-expiry", services.privacy.account_exports.expire, 3600.0))
        found.append(Loop("closed-accounts", services.privacy.closing.step, 600.0))
        found.append(Loop("quarantine", services.intake.quarantine.expire, 3600.0))
        found.append(Loop("audit", services.access.audit.expire, 3600.0))
        found.append(Loop("usage-expiry", services.usage.metering.expire, 3600.0))
        found.append(Loop("usage-loads", services.usage.loads.settle, 3600.0))
        found.append(Loop("request-keys", services.access.request_keys.expire, 3600.0))
    return tuple(found)


def _row_work(services: Services, buffer: Buffer, claims: Claims) -> list[Background]:
    settings = services.settings
    policy = FlushPolicy(
        seconds=settings.flush_seconds, rows=settings.flush_rows, late_seconds=settings.late_flush_seconds
    )

    def adopted(buffer_id: str) -> None:
        claims.settle(buffer_id)
        buffer.settled(buffer_id)

    for buffer_id in buffer.adopted:
        adopted(buffer_id)
    flusher = Flusher(
        services.storage.event_store,
        buffer,
        clock=services.clock,
        policy=policy,
        adopted=adopted,
        troubles=services.troubles,
    )
    return [
        Loop("flush", flusher.step, 1.0),
        Loop("writers", services.storage.writers.step, WRITER_SECONDS),
        Loop("claims", claims.expire, 3600.0),
        Loop("usage", services.usage.metering.step, USAGE_SECONDS),
        Loop("erasure-acknowledgements", services.privacy.acknowledgements.step, WRITER_SECONDS),
    ]


def asked_work(services: Services) -> tuple[Background, ...]:
    """Workers on what people ask for: reports with their notices, exports, schedules, webhooks and e-mail."""
    return (*_report_work(services), *export_work(services), *_message_work(services), _schedule_work(services))


def rebuilder_of(services: Services) -> Rebuilder:
    """The rebuilder, which builds the stale segments of rollups."""
    return Rebuilder(
        services.storage.rollups,
        services.engines.heavy,
        _heavy_options(services),
        oldest_job_us=services.jobs.oldest_running,
        troubles=services.troubles,
    )


def maintenance_of(services: Services, rebuilder: Rebuilder) -> Maintenance:
    """The lake's maintenance: compaction, expiry and vacuum."""
    settings = services.settings
    return Maintenance(
        services.storage.lake,
        services.engines.heavy,
        retention=settings.retention,
        oldest_job_us=services.jobs.oldest_running,
        scratch=settings.home / "tmp",
        memory=settings.engine_memory,
        derived=rebuilder.expiry,
        settled=services.storage.event_store.settled,
        troubles=services.troubles,
    )


def lake_care_of(services: Services) -> LakeCare:
    """What operators have done to the lake's tables at once, with a rebuilder of its own."""
    rebuilder = rebuilder_of(services)
    return LakeCare(services.storage.lake, maintenance_of(services, rebuilder), rebuilder)


def _lake_work(services: Services) -> list[Background]:
    rebuilder = rebuilder_of(services)
    maintenance = maintenance_of(services, rebuilder)
    tasks = LakeTaskWorker(
        lake_care_of(services), services.tasks, services.jobs, services.clock, faults=services.faults
    )
    loops = [Loop("maintenance", maintenance.step, 10.0), Loop("rollups", rebuilder.step, 5.0)]
    return [*loops, tasks, Loop("tasks", services.tasks.expire, 3600.0)]


def _heavy_options(services: Services) -> HeavyOptions:
    return HeavyOptions(services.settings.engine_memory, services.settings.home / "tmp")


def _message_work(services: Services) -> list[Background]:
    settings, webhooks = services.settings, services.webhooks
    webhooks.queue.release_gone(services.process.is_gone)
    loops = webhooks.loops(
        services.clock,
        services.files,
        allowed=settings.outgoing_allow,
        mails_per_hour=settings.mails_per_hour,
        faults=services.faults,
    )
    return [*loops, Loop("messages", webhooks.expiry.step, 3600.0)]


def _report_work(services: Services) -> list[Background]:
    services.jobs.release_gone(services.process.is_gone)
    services.deliveries.release_gone(services.process.is_gone)
    services.process.tidy()
    sender = DeliveryLoop(services.deliveries, Outgoing(services.settings.outgoing_allow))
    services.reports.on_notice.append(sender.wake)
    return [report_builder_of(services), sender]


def report_builder_of(services: Services) -> ReportBuilder:
    """The worker on reports."""
    settings, reports = services.settings, services.reports
    builder = ReportBuilder(
        reports,
        services.jobs,
        ReportRenderer(
            DETAILED,
            services.storage.event_store,
            services.engines.engine,
            services.engines.heavy,
            _heavy_options(services),
        ),
        services.files,
        services.clock,
        options=BuildOptions(staging=settings.home / "staging", file_days=settings.report_file_days),
        wait_until_visible=services.storage.writers.wait_until_visible,
        faults=services.faults,
    )
    reports.on_created.append(builder.wake)
    return builder


def export_work(services: Services) -> list[Background]:
    """Workers of small exports, others of large ones, and what deletes files."""
    own = services.exports
    parts = ExportParts(own.ledger, own.planner, services.queries, services.sql, own.renderer, services.files)
    staging = services.settings.home / "staging"
    workers = [
        kind(
            parts,
            services.jobs,
            services.clock,
            options=ExportWorkOptions(staging=staging, workers=count),
            wait_until_visible=services.storage.writers.wait_until_visible,
            faults=services.faults,
        )
        for kind, count in ((ExportWorker, 3), (LargeExportWorker, 2))
    ]
    own.exports.on_created.extend(each.wake for each in workers)
    return [*workers, Loop("export-files", own.expiry.step, 60.0)]


def _schedule_work(services: Services) -> Background:
    return services.schedules.worker(
        services.jobs,
        services.clock,
        wait_until_visible=services.storage.writers.wait_until_visible,
        faults=services.faults,
    )


def _statistics_work(services: Services) -> Background:
    """The worker waits until rows are in the lake, unless no other machine writes and the engine reads buffers."""

    def wait_until_visible(moment: int, stop: threading.Event) -> None:
        if not (services.engines.engine.capabilities.buffered_rows and services.storage.writers.alone()):
            services.storage.writers.wait_until_visible(moment, stop)

    worker = StatisticsWorker(
        services.statistics,
        services.jobs,
        services.queries,
        services.files,
        services.clock,
        wait_until_visible=wait_until_visible,
        faults=services.faults,
    )
    services.statistics.on_asked.append(worker.wake)
    return worker


def _dataset_work(services: Services) -> list[Background]:
    worker = PublicationWorker(
        services.datasets.publisher,
        services.jobs,
        services.clock,
        PublicationOptions(),
        wait_until_visible=services.storage.writers.wait_until_visible,
    )
    notices = LateNotices(services.datasets.publisher.publication_store, services.datasets.notices, services.clock)
    tasks = DatasetTaskWorker(
        services.on_demand(),
        services.datasets.files,
        services.tasks,
        services.jobs,
        services.clock,
        faults=services.faults,
    )
    return [worker, tasks, Loop("publication-notices", notices.step, 10.0)]
