"""The running program: every part opened from the settings, in order, and closed in reverse."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import Flag, auto
from typing import Protocol

import structlog

from airtally.accounts.accounts import Accounts
from airtally.accounts.declared import EventTypeRegistry
from airtally.accounts.grants import Grants
from airtally.accounts.keys import Keys
from airtally.accounts.limits import RateLimiter
from airtally.accounts.notices import Notices
from airtally.accounts.owners import Owners
from airtally.accounts.secrets import Secrets
from airtally.accounts.sessions import Sessions
from airtally.accounts.users import Users
from airtally.database import home
from airtally.database.clock import shared_clock
from airtally.database.processes import ThisProcess
from airtally.database.store import MetadataStore
from airtally.datasets.catalogue import Catalogue
from airtally.datasets.files import DatasetFiles
from airtally.datasets.lateness import LATE_US, described
from airtally.datasets.links import FileLinks
from airtally.datasets.publication_store import PublicationStore
from airtally.datasets.publish import Publisher
from airtally.datasets.register import Register
from airtally.datasets.render import DatasetRenderer
from airtally.datasets.work import OnDemand
from airtally.devices import Devices
from airtally.engine import check_engine, open_engine
from airtally.engine.child import HeavyOptions
from airtally.engine.child_process import ChildProcess
from airtally.engine.lazy import LazyEngine
from airtally.engine.protocol import Engine
from airtally.files.store import FileStore
from airtally.ingest.admission import Admission
from airtally.ingest.businesses import Businesses
from airtally.ingest.claims import Claims
from airtally.ingest.edits import Edits
from airtally.ingest.files import FileIngest
from airtally.ingest.known import KnownKeys
from airtally.ingest.loading import Loading
from airtally.ingest.locks import Locks
from airtally.ingest.marks import FileMarks
from airtally.ingest.quarantine import Quarantine
from airtally.ingest.refold import refold
from airtally.ingest.resend import Resend
from airtally.ingest.service import Ingest
from airtally.ingest.versions import ChangelogVersions
from airtally.jobs.queue import Jobs
from airtally.jobs.worker import WorkerOptions
from airtally.kit import private
from airtally.kit.clock import Clock, SystemClock
from airtally.kit.disks import check_room, check_write
from airtally.kit.errors import NewerHome
from airtally.kit.faults import NO_FAULTS, Faults
from airtally.kit.mail import Mailer
from airtally.kit.signing import LinkSigner
from airtally.kit.troubles import Troubles
from airtally.query import changelog
from airtally.query.service import Queries
from airtally.reports.outbox import Deliveries
from airtally.reports.report import ReportLinks
from airtally.reports.service import Reports
from airtally.rollups.rollups import Rollups
from airtally.settings import SettingError, Settings
from airtally.statistics.service import Statistics
from airtally.storage.buffer import Buffer
from airtally.storage.lake import Lake
from airtally.storage.lake.health import LakeHealth
from airtally.storage.store import EventStore
from airtally.storage.watermark import Watermark
from airtally.storage.writers import Writers

_log = structlog.get_logger()


class Role(Flag):
    """What a process does. `ROWS`: it owns a buffer and takes rows. `JOBS`: it works on the lake and on reports."""

    NONE = 0
    ROWS = auto()
    JOBS = auto()
    SERVE = ROWS | JOBS


class Background(Protocol):
    """Work on threads of its own."""

    @property
    def name(self) -> str: ...
    @property
    def alive(self) -> bool: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...


@dataclass(frozen=True)
class Intake:
    """The ways in for rows. `batches`, `edits` and `claims` are None in a process that owns no buffer."""

    batches: Ingest | None
    edits: Edits | None
    claims: Claims | None
    files: FileIngest
    quarantine: Quarantine
    resend: Resend


@dataclass
class Superseded:
    """Whether a newer program has changed the home since this process opened it; it then has to stop.

    `stop` ends the process, as whoever runs it sets.
    """

    reason: str | None = None
    stop: Callable[[], None] = lambda: None

    def look(self, store: MetadataStore) -> None:
        """The step of a background loop."""
        try:
            home.check(store)
        except NewerHome as newer:
            if self.reason is None:
                _log.error("stopping: a newer version has taken over the home", reason=newer.message)
            self.reason = newer.message
            self.stop()


@dataclass
class Services:
    """All parts, for whoever puts them behind a wire. Background work runs between `start` and `close`."""

    settings: Settings
    clock: Clock
    faults: Faults
    store: MetadataStore
    secrets: Secrets
    accounts: Accounts
    keys: Keys
    grants: Grants
    users: Users
    sessions: Sessions
    owners: Owners
    declared: EventTypeRegistry
    limiter: RateLimiter
    jobs: Jobs
    process: ThisProcess
    lake: Lake
    health: LakeHealth
    buffer: Buffer | None
    event_store: EventStore
    rollups: Rollups
    engine: Engine
    heavy: ChildProcess
    queries: Queries
    intake: Intake
    devices: Devices | None
    writers: Writers
    files: FileStore
    reports: Reports
    catalogue: Catalogue
    register: Register
    publisher: Publisher
    notices: Notices
    dataset_files: DatasetFiles
    deliveries: Deliveries
    statistics: Statistics
    closing: ExitStack
    background: tuple[Background, ...] = ()
    superseded: Superseded = field(default_factory=Superseded)
    troubles: Troubles = field(default_factory=Troubles)

    def on_demand(self) -> OnDemand:
        """Publication of datasets now."""
        return OnDemand(
            self.publisher,
            self.jobs,
            self.clock,
            WorkerOptions(),
            wait_until_visible=self.writers.wait_until_visible,
        )

    def start(self, background: Sequence[Background] = ()) -> None:
        """`background` is stopped by `close`, the last to start first."""
        self.writers.join()
        self.closing.callback(self._leave)
        for each in background:
            each.start()
            self.closing.callback(each.stop)
        self.background = tuple(background)
        _log.info("started", background=[each.name for each in background])

    def close(self) -> None:
        """Stop the background work, flush, release leases and locks."""
        self.closing.close()

    def _leave(self) -> None:
        """The last flush, when nothing comes in any more; what it cannot move is adopted at the next start."""
        try:
            self.event_store.flush()
            if self.buffer is not None:
                self.buffer.tidy()
        except Exception:  # noqa: BLE001 (whatever it is, the process stops)
            _log.exception("the last flush failed; the rows stay in the buffer")
        else:
            self.writers.leave()

    def checks(self) -> dict[str, str | None]:
        """What must be well for this process to do its work; None where it is, else what is wrong."""
        return {
            "metadata": _problem(self._reads_metadata),
            "buffer": _problem(self._takes_rows) or self._damaged(),
            "lake": _problem(self.lake.check_folder) or "; ".join(self.health.problems()) or None,
            "background": self._stopped(),
            "home": self.superseded.reason or _problem(self._has_room),
        }

    def remarks(self) -> list[str]:
        """What an operator should know, though this process does its work."""
        publication_store, now = self.publisher.publication_store, self.clock.now_us()
        late = [f"publication is late: {described(each)}" for each in publication_store.late(now - LATE_US)]
        return [*late, *(f"put off: {words}" for words in self.troubles.words())]

    def _has_room(self) -> None:
        for folder in self.settings.local_folders:
            check_room(folder)
        check_write(self.settings.home / "tmp")

    def _takes_rows(self) -> None:
        if self.buffer is not None:
            self.buffer.check_room(0)
            self.buffer.check_disk()

    def _damaged(self) -> str | None:
        """Rows go on being taken; whether some are lost is for an operator to see, once."""
        found = [] if self.buffer is None else self.buffer.problems()
        return "; ".join([*found, *self.event_store.unreadable()]) or None

    def _reads_metadata(self) -> None:
        with self.store.read() as connection:
            connection.exec_driver_sql("SELECT version_num FROM alembic_version")

    def _stopped(self) -> str | None:
        stopped = [each.name for each in self.background if not each.alive]
        return f"stopped: {', '.join(stopped)}" if stopped else None


def _mailer(url: str) -> Mailer | None:
    try:
        return Mailer(url) if url else None
    except ValueError as error:
        raise SettingError(f"AIRTALLY_SMTP_URL cannot be used: expected {error}") from None


def _problem(check: Callable[[], None]) -> str | None:
    try:
        check()
    except Exception as error:  # noqa: BLE001 (a broken log of a table is as much an answer as a full disk)
        return str(error) or type(error).__name__
    return None


def open_services(
    settings: Settings, *, clock: Clock | None = None, faults: Faults | None = None, role: Role = Role.SERVE
) -> Services:
    """Raises SettingError for settings that cannot be used, Unavailable where the metadata store does not answer.

    NewerHome where a newer program has changed what is stored.
    """
    private.enclose(settings.home, shared=settings.shares_folders)
    with ExitStack() as opened:
        parts = _Parts(settings, clock or SystemClock(), faults or NO_FAULTS, role, opened)
        services = parts.services()
        refold(services.store, services.owners, services.queries)
        services.closing = opened.pop_all()
        return services


class _Parts:
    """Opens the parts one after the other; what was opened is closed again if a later one fails."""

    def __init__(self, settings: Settings, clock: Clock, faults: Faults, role: Role, closing: ExitStack) -> None:
        self._settings, self._clock, self._faults = settings, clock, faults
        self._role = role
        self._closing = closing

    def services(self) -> Services:
        settings, clock = self._settings, self._clock
        store = MetadataStore.open(settings.database_url, faults=self._faults)
        self._closing.callback(store.close)
        secrets = Secrets.open(settings.home, settings.secret_key)
        keys = Keys(store, secrets, clock)
        self._closing.callback(keys.close)
        users, owners = Users(store, clock), Owners(store)
        process = ThisProcess(settings.home / "processes")
        self._closing.callback(process.close)
        shared = shared_clock(store, clock)
        jobs = Jobs(store, shared, process.id, most_waiting=settings.waiting_jobs)
        self._closing.callback(jobs.release_all)
        watermark = Watermark(store, shared, settings.home / "buffer")
        lake, buffer, event_store = self._storage(watermark)
        engine, heavy = self._engines()
        rollups = self._rollups(lake, event_store, store)
        health = LakeHealth(lambda: [*lake.tables(), *rollups.tables()])
        queries = Queries(
            *(engine, event_store, clock, rollups),
            answer_cache=settings.answer_cache,
            on_missing=lambda missing: health.note(missing.gone),
        )
        deliveries = Deliveries(store, shared, settings.fouryousee_retry_seconds, process.id)
        declared = EventTypeRegistry(store, clock)
        intake = self._intake(store, owners, declared, queries, event_store, buffer)
        files = FileStore.open(settings.files_url, self._faults)
        dataset_links = FileLinks(
            settings.public_url, LinkSigner(secrets.subkey("dataset links")), round(settings.slate_link_seconds)
        )
        links = ReportLinks(settings.public_url, LinkSigner(secrets.subkey("links")))
        return Services(
            settings=settings,
            clock=clock,
            faults=self._faults,
            store=store,
            secrets=secrets,
            accounts=Accounts(store, clock),
            keys=keys,
            grants=Grants(store, secrets, clock, keys),
            users=users,
            sessions=Sessions(store, secrets, users, clock),
            owners=owners,
            declared=declared,
            limiter=RateLimiter(store, clock, enabled=settings.rate_limits),
            jobs=jobs,
            process=process,
            lake=lake,
            health=health,
            buffer=buffer,
            event_store=event_store,
            rollups=rollups,
            engine=engine,
            heavy=heavy,
            queries=queries,
            intake=intake,
            devices=None if intake.edits is None else Devices(intake.edits, queries, declared),
            writers=Writers(store, shared, buffer, event_store.flush, watermark),
            files=files,
            reports=Reports(store, clock, jobs=jobs, owners=owners, deliveries=deliveries, links=links),
            catalogue=Catalogue(store),
            register=Register(store, clock, settings.slate_file_format),
            notices=Notices(users, _mailer(settings.smtp_url)),
            publisher=self._publisher(
                PublicationStore(store, clock, jobs, settings.dataset_interval), event_store, engine, heavy, files
            ),
            dataset_files=DatasetFiles(store, clock, dataset_links),
            deliveries=deliveries,
            statistics=Statistics(store, clock, jobs),
            closing=self._closing,
        )

    def _publisher(
        self,
        publication_store: PublicationStore,
        event_store: EventStore,
        engine: Engine,
        heavy: ChildProcess,
        files: FileStore,
    ) -> Publisher:
        settings = self._settings
        renderer = DatasetRenderer(engine, heavy, HeavyOptions(settings.engine_memory, settings.home / "tmp"))
        return Publisher(
            publication_store,
            event_store,
            renderer,
            files,
            self._clock,
            staging=settings.home / "staging",
            faults=self._faults,
        )

    def _storage(self, watermark: Watermark) -> tuple[Lake, Buffer | None, EventStore]:
        settings, clock, faults = self._settings, self._clock, self._faults
        folder = settings.home / "buffer"
        lake = Lake(settings.lake_url, clock=clock, faults=faults)
        if self._role:
            lake.follow_declarations()
        buffer = None
        if Role.ROWS in self._role:
            buffer = Buffer.open(folder, clock=clock, max_bytes=settings.buffer_max, faults=faults)
            self._closing.callback(buffer.close)
        event_store = EventStore(lake, buffer, clock=clock, buffers=folder, limit=watermark.now)
        self._closing.callback(event_store.close)
        return lake, buffer, event_store

    def _engines(self) -> tuple[Engine, ChildProcess]:
        settings = self._settings
        check_engine(settings.engine)
        limits = (settings.engine_memory, settings.query_seconds, settings.home / "tmp")
        engine = LazyEngine(lambda: open_engine(settings.engine, *limits))
        self._closing.callback(engine.close)
        heavy = ChildProcess()
        self._closing.callback(heavy.close)
        return engine, heavy

    def _rollups(self, lake: Lake, event_store: EventStore, store: MetadataStore) -> Rollups:
        accounts, settings = Accounts(store, self._clock), self._settings
        return Rollups(
            lake,
            event_store,
            store,
            retention=lambda rollup: settings.rollup_retention(rollup.name),
            zones=lambda: {account.slug: account.timezone for account in accounts.all()},
        )

    def _intake(  # noqa: PLR0917 (the parts that rows pass)
        self,
        store: MetadataStore,
        owners: Owners,
        declared: EventTypeRegistry,
        queries: Queries,
        event_store: EventStore,
        buffer: Buffer | None,
    ) -> Intake:
        settings, clock = self._settings, self._clock
        quarantine = Quarantine(store, clock, max_bytes=settings.quarantine_max, days=settings.quarantine_days)
        versions = ChangelogVersions(
            lambda stream, account, keys: queries.versions(changelog.VersionsQuery(stream, account, keys)),
            KnownKeys(queries.engine, event_store).may_be_known,
        )
        admission = Admission(owners, Businesses(store), declared, settings, clock)
        loading = Loading(event_store=event_store, quarantine=quarantine, versions=versions, clock=clock)
        locks = Locks(settings.home / "locks")
        claims = batches = edits = None
        if buffer is not None:
            claims = Claims(store, buffer, clock)
            batches = Ingest(
                buffer=buffer,
                claims=claims,
                quarantine=quarantine,
                versions=versions,
                admission=admission,
                settings=settings,
                clock=clock,
            )
            edits = Edits(buffer=buffer, versions=versions, last_of=queries.last_by, clock=clock)
        return Intake(
            batches=batches,
            edits=edits,
            claims=claims,
            files=FileIngest(
                admission=admission,
                loading=loading,
                event_store=event_store,
                quarantine=quarantine,
                marks=FileMarks(store, clock),
                locks=locks,
                clock=clock,
            ),
            quarantine=quarantine,
            resend=Resend(
                admission=admission, loading=loading, event_store=event_store, quarantine=quarantine, locks=locks
            ),
        )
