"""Opens all services from the settings. They are closed in the reverse order."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

from argon2 import PasswordHasher

from airtally.accounts.access import Access, open_access
from airtally.accounts.notices import Notices
from airtally.accounts.secrets import Secrets
from airtally.accounts.users import Users
from airtally.alarms.parts import Watched, alarm_parts
from airtally.api.exports.planner import ReadSpecs
from airtally.database.clock import shared_clock
from airtally.database.processes import ThisProcess
from airtally.database.store import MetadataStore
from airtally.datasets.files import DatasetFiles
from airtally.datasets.publication_store import PublicationStore
from airtally.datasets.publish import Publisher
from airtally.datasets.render import DatasetRenderer
from airtally.devices import Devices
from airtally.engine import check_engine, open_engine
from airtally.engine.child import HeavyOptions
from airtally.engine.child_process import ChildProcess
from airtally.engine.confined.runner import ConfinedRunner
from airtally.engine.lazy import LazyEngine
from airtally.erasure.late_rows import LateRows
from airtally.erasure.privacy import ErasureContext, Privacy
from airtally.exports.parts import ExportContext, ExportServices, export_services
from airtally.exports.service import Exports
from airtally.files.store import FileStore
from airtally.ingest.parts import IntakeContext, intake_parts
from airtally.ingest.refold import refold
from airtally.jobs.queue import Jobs
from airtally.kit import private
from airtally.kit.clock import Clock, SystemClock
from airtally.kit.crew import Crew
from airtally.kit.faults import NO_FAULTS, Faults
from airtally.kit.mail import Mailer
from airtally.kit.signing import LinkSigner
from airtally.query.mapped.answers import MappedAnswers
from airtally.query.service import Queries
from airtally.query.sql_service import SqlQueries
from airtally.reports.outbox import Deliveries
from airtally.reports.report import ReportLinks
from airtally.reports.service import Reports
from airtally.rollups.maps.maps import SegmentMaps
from airtally.rollups.rollups import Rollups
from airtally.schedules.parts import MadeBySchedules, schedule_parts
from airtally.services import Datasets, Engines, Role, Services, Storage
from airtally.settings import SettingError, Settings
from airtally.statistics.service import Statistics
from airtally.storage.buffer import Buffer
from airtally.storage.lake import Lake
from airtally.storage.lake.health import LakeHealth
from airtally.storage.marks import Marks
from airtally.storage.store import EventStore
from airtally.storage.watermark import Watermark
from airtally.storage.writers import Writers
from airtally.tasks.tasks import Tasks
from airtally.usage.parts import usage_parts
from airtally.vendors.fouryousee.detailed import DETAILED
from airtally.webhooks.export_notices import ExportNotices
from airtally.webhooks.parts import WebhookParts, webhook_parts


def open_services(
    settings: Settings,
    *,
    clock: Clock | None = None,
    faults: Faults | None = None,
    hasher: PasswordHasher | None = None,
    role: Role = Role.SERVE,
    crew: Crew | None = None,
) -> Services:
    """Open all services of a process with this role; `crew` if it is one of several workers.

    Raises SettingError for an invalid setting, Unavailable if the metadata store cannot be reached, and NewerHome if
    a newer version has changed the stored data.
    """
    private.enclose(settings.home, shared=settings.shares_folders)
    with ExitStack() as opened:
        part = _Part(role, crew)
        opening = _Opening(settings, clock or SystemClock(), faults or NO_FAULTS, part, opened)
        services = opening.services(hasher)
        refold(services.store, services.access.owners, services.queries)
        services.closing, services.role, services.crew = opened.pop_all(), role, crew
        return services


@dataclass(frozen=True, slots=True)
class _Part:
    """What a process does, and among which workers."""

    role: Role
    crew: Crew | None


class _Opening:
    """Opens the services one after the other; if one fails, `closing` closes those opened before it."""

    def __init__(self, settings: Settings, clock: Clock, faults: Faults, part: _Part, closing: ExitStack) -> None:
        self._settings, self._clock, self._faults = settings, clock, faults
        self._role, self._crew = part.role, part.crew
        self._closing = closing
        self._store = MetadataStore.open(settings.database_url, faults=faults)
        closing.callback(self._store.close)
        #: The database's clock if several machines share one (PostgreSQL), else this machine's.
        self._shared = shared_clock(self._store, clock)

    def services(self, hasher: PasswordHasher | None) -> Services:
        settings, clock, store = self._settings, self._clock, self._store
        access = open_access(settings, store, clock, self._closing, hasher, crew=self._crew)
        process = ThisProcess(settings.home / "processes")
        self._closing.callback(process.close)
        jobs = Jobs(store, self._shared, process.id, most_waiting=settings.waiting_jobs)
        self._closing.callback(jobs.release_all)
        storage, engines = self._storage(access), self._engines()
        queries = self._queries(storage, engines)
        usage = usage_parts(
            *(store, clock, storage.buffer, storage.event_store), days=settings.usage_days, faults=self._faults
        )
        taking = IntakeContext(
            *(settings, store, clock, access.owners, access.declared, usage.loads),
            *(storage.event_store, storage.buffer, queries),
        )
        intake = intake_parts(taking)
        files = FileStore.open(settings.files_url, self._faults)
        deliveries = Deliveries(store, self._shared, settings.fouryousee_retry_seconds, process.id)
        reports = self._reports(access, jobs, deliveries)
        sql = self._sql(queries, storage)
        exports = self._exports(access, jobs, storage.event_store, (queries, sql), (engines, files))
        webhooks = self._webhooks(access.secrets, process.id)
        exports.exports.endings.within.append(ExportNotices(webhooks.messages).note)
        made = MadeBySchedules(exports.exports, exports.links, reports, webhooks.messages)
        schedules = schedule_parts(store, self._shared, jobs, access.accounts, made, faults=self._faults)
        datasets = self._datasets(access.users, jobs, storage.event_store, engines, files)
        watched = Watched(
            *(storage.event_store, engines.engine, storage.writers, intake.quarantine),
            *(datasets.publisher.publication_store, schedules.late),
        )
        statistics = Statistics(store, clock, jobs)
        return Services(
            settings=settings,
            clock=clock,
            faults=self._faults,
            store=store,
            process=process,
            access=access,
            storage=storage,
            engines=engines,
            queries=queries,
            sql=sql,
            intake=intake,
            usage=usage,
            jobs=jobs,
            tasks=Tasks(store, clock, jobs),
            files=files,
            reports=reports,
            deliveries=deliveries,
            datasets=datasets,
            exports=exports,
            webhooks=webhooks,
            schedules=schedules,
            alarms=alarm_parts(store, self._shared, watched, webhooks.messages, faults=self._faults),
            statistics=statistics,
            devices=None if intake.edits is None else Devices(intake.edits, queries, access.declared),
            privacy=self._privacy(access, storage, engines, jobs, (files, statistics, exports.exports)),
            closing=self._closing,
        )

    def _storage(self, access: Access) -> Storage:
        settings, clock, folder = self._settings, self._clock, self._settings.home / "buffer"
        watermark = Watermark(self._store, self._shared, folder)
        marks = self._marks()
        lake = Lake(settings.lake_url, clock=clock, faults=self._faults, marks=marks)
        if self._role:
            lake.follow_declarations()
        buffer = None
        if Role.ROWS in self._role:
            buffer = Buffer.open(folder, clock=clock, max_bytes=settings.buffer_max, faults=self._faults, marks=marks)
            self._closing.callback(buffer.close)
        sieve = LateRows(self._store, access.secrets).left
        event_store = EventStore(lake, buffer, clock=clock, buffers=folder, limit=watermark.now, sieve=sieve)
        self._closing.callback(event_store.close)
        rollups = Rollups(
            lake,
            event_store,
            self._store,
            retention=settings.retention,
            zones=access.accounts.zones,
            deleted=access.accounts.deleted,
        )
        health = LakeHealth(lambda: [*lake.tables(), *rollups.tables()])
        writers = Writers(self._store, self._shared, buffer, event_store.flush, watermark)
        maps = SegmentMaps(settings.home / "maps", settings.maps, rollups, faults=self._faults)
        return Storage(lake, health, buffer, event_store, writers, rollups, maps)

    def _marks(self) -> Marks:
        marks = Marks.of_home(self._settings.home, self._settings.database_url, self._settings.lake_url)
        self._closing.callback(marks.close)
        if self._role:
            marks.join()
        return marks

    def _engines(self) -> Engines:
        settings = self._settings
        check_engine(settings.engine)
        limits = (settings.engine_memory, settings.query_seconds, settings.home / "tmp")
        engine = LazyEngine(lambda: open_engine(settings.engine, *limits))
        self._closing.callback(engine.close)
        heavy = ChildProcess()
        self._closing.callback(heavy.close)
        return Engines(engine, heavy)

    def _sql(self, queries: Queries, storage: Storage) -> SqlQueries:
        runner = ConfinedRunner()
        self._closing.callback(runner.close)
        return SqlQueries(queries, storage.rollups, runner, self._clock, seconds=self._settings.query_seconds)

    def _queries(self, storage: Storage, engines: Engines) -> Queries:
        return Queries(
            *(engines.engine, storage.event_store, self._clock, storage.rollups),
            answer_cache=self._settings.answer_cache,
            mapped=MappedAnswers(storage.maps, engines.engine),
            on_missing=lambda missing: storage.health.note(missing.gone),
        )

    def _reports(self, access: Access, jobs: Jobs, deliveries: Deliveries) -> Reports:
        links = ReportLinks(self._settings.public_url, LinkSigner(access.secrets.subkey("links")))
        return Reports(
            self._store,
            self._clock,
            jobs=jobs,
            owners=access.owners,
            deliveries=deliveries,
            links=links,
            report_type=DETAILED,
        )

    def _datasets(
        self, users: Users, jobs: Jobs, event_store: EventStore, engines: Engines, files: FileStore
    ) -> Datasets:
        settings, store, clock = self._settings, self._store, self._clock
        options = HeavyOptions(settings.engine_memory, settings.home / "tmp")
        publisher = Publisher(
            PublicationStore(store, clock, jobs, settings.dataset_interval),
            event_store,
            DatasetRenderer(engines.engine, engines.heavy, options),
            files,
            clock,
            staging=settings.home / "staging",
            faults=self._faults,
        )
        return Datasets(publisher, DatasetFiles(store, clock), Notices(users, _mailer(settings.smtp_url)))

    def _exports(
        self,
        access: Access,
        jobs: Jobs,
        event_store: EventStore,
        asked: tuple[Queries, SqlQueries],
        made: tuple[Engines, FileStore],
    ) -> ExportServices:
        engines, files = made
        context = ExportContext(
            self._store, self._clock, jobs, access.secrets, *asked, event_store, engines.heavy, files
        )
        return export_services(context, self._settings, ReadSpecs())

    def _webhooks(self, secrets: Secrets, owner: str) -> WebhookParts:
        allowed, mailer = self._settings.outgoing_allow, _mailer(self._settings.smtp_url)
        return webhook_parts(self._store, self._shared, secrets, owner, allowed=allowed, mailer=mailer)

    def _privacy(
        self,
        access: Access,
        storage: Storage,
        engines: Engines,
        jobs: Jobs,
        made: tuple[FileStore, Statistics, Exports],
    ) -> Privacy:
        settings, (files, statistics, exports) = self._settings, made
        return Privacy(
            ErasureContext(
                store=self._store,
                clock=self._clock,
                jobs=jobs,
                secrets=access.secrets,
                accounts=access.accounts,
                keys=access.keys,
                event_store=storage.event_store,
                buffer=storage.buffer,
                writers=storage.writers,
                rollups=storage.rollups,
                runner=engines.heavy,
                files=files,
                statistics=statistics,
                exports=exports,
                home=settings.home,
                memory=settings.engine_memory,
                closed_days=settings.closed_days,
                faults=self._faults,
            )
        )


def _mailer(url: str) -> Mailer | None:
    try:
        return Mailer(url) if url else None
    except ValueError as error:
        raise SettingError(f"AIRTALLY_SMTP_URL cannot be used: expected {error}") from None
