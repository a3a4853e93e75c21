"""The services of a running process, in groups, as handlers get them. `runtime.py` opens them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import Flag, auto
from typing import Protocol

import structlog

from airtally.accounts.access import Access
from airtally.accounts.notices import Notices
from airtally.alarms.parts import AlarmParts
from airtally.database import home
from airtally.database.processes import ThisProcess
from airtally.database.store import MetadataStore
from airtally.datasets.files import DatasetFiles
from airtally.datasets.publish import Publisher
from airtally.datasets.work import OnDemand
from airtally.devices import Devices
from airtally.engine.child_process import ChildProcess
from airtally.engine.protocol import Engine
from airtally.erasure.privacy import Privacy
from airtally.exports.parts import ExportServices
from airtally.files.store import FileStore
from airtally.ingest.parts import IntakeParts
from airtally.job_control.control import JobControl
from airtally.jobs.queue import Jobs
from airtally.jobs.worker import WorkerOptions
from airtally.kit.clock import Clock
from airtally.kit.crew import Crew
from airtally.kit.errors import NewerHome
from airtally.kit.faults import Faults
from airtally.kit.troubles import Troubles
from airtally.query.service import Queries
from airtally.query.sql_service import SqlQueries
from airtally.reports.outbox import Deliveries
from airtally.reports.service import Reports
from airtally.rollups.maps.maps import SegmentMaps
from airtally.rollups.rollups import Rollups
from airtally.schedules.parts import ScheduleParts
from airtally.settings import Settings
from airtally.statistics.service import Statistics
from airtally.storage.buffer import Buffer
from airtally.storage.lake import Lake
from airtally.storage.lake.health import LakeHealth
from airtally.storage.store import EventStore
from airtally.storage.writers import Writers
from airtally.tasks.tasks import Tasks
from airtally.usage.parts import UsageParts
from airtally.webhooks.parts import WebhookParts

_log = structlog.get_logger()


class Role(Flag):
    """What a process does. `ROWS`: it owns a buffer and takes rows. `JOBS`: it maintains the lake and runs jobs."""

    NONE = 0
    ROWS = auto()
    JOBS = auto()
    SERVE = ROWS | JOBS


class Background(Protocol):
    """Work that runs on threads of its own."""

    @property
    def name(self) -> str: ...
    @property
    def alive(self) -> bool: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Storage:
    """The buffer, the lake, the rollups and their maps. `buffer` is None in a process that takes no rows."""

    lake: Lake
    health: LakeHealth
    buffer: Buffer | None
    event_store: EventStore
    writers: Writers
    rollups: Rollups
    maps: SegmentMaps


@dataclass(frozen=True, slots=True)
class Engines:
    """What runs SQL: the engine in this process, and the child process for heavy work."""

    engine: Engine
    heavy: ChildProcess


@dataclass(frozen=True, slots=True)
class Datasets:
    """The publisher of datasets, the published files, and the notices of late publications."""

    publisher: Publisher
    files: DatasetFiles
    notices: Notices


@dataclass
class Superseded:
    """Stops the process once a newer version has changed the home.

    The command that runs the process sets `stop`, which ends it.
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
    """All services of this process. Background work runs from `start` to `close`.

    `crew`: the workers of one `serve` that this process is one of, None where it is alone.
    """

    settings: Settings
    clock: Clock
    faults: Faults
    store: MetadataStore
    process: ThisProcess
    access: Access
    storage: Storage
    engines: Engines
    queries: Queries
    sql: SqlQueries
    intake: IntakeParts
    usage: UsageParts
    jobs: Jobs
    tasks: Tasks
    files: FileStore
    reports: Reports
    deliveries: Deliveries
    datasets: Datasets
    exports: ExportServices
    webhooks: WebhookParts
    schedules: ScheduleParts
    alarms: AlarmParts
    statistics: Statistics
    devices: Devices | None
    privacy: Privacy
    closing: ExitStack
    role: Role = Role.SERVE
    crew: Crew | None = None
    background: tuple[Background, ...] = ()
    superseded: Superseded = field(default_factory=Superseded)
    troubles: Troubles = field(default_factory=Troubles)

    def on_demand(self) -> OnDemand:
        """Publishes datasets at once, without waiting for the next slot."""
        return OnDemand(
            self.datasets.publisher,
            self.jobs,
            self.clock,
            WorkerOptions(),
            wait_until_visible=self.storage.writers.wait_until_visible,
        )

    def job_control(self) -> JobControl:
        """Cancels jobs and begins them anew, whatever they are about."""
        subjects = (
            *(self.reports, self.exports.exports, self.statistics, self.schedules.runs),
            *(self.datasets.publisher.publication_store, self.privacy.account_export_subject()),
        )
        return JobControl(self.store, self.clock, self.jobs, subjects)

    def start(self, background: Sequence[Background] = ()) -> None:
        """Start `background`; `close` stops it in the reverse order."""
        self.storage.writers.join()
        self.closing.callback(self._leave)
        for each in background:
            each.start()
            self.closing.callback(each.stop)
        self.background = tuple(background)
        _log.info("started", background=[each.name for each in background])

    def close(self) -> None:
        """Stop the background work, flush, release leases and locks."""
        self.closing.close()
        if self.background:  # a command that opens the parts for a moment prints its answer alone
            _log.info("stopped")

    def _leave(self) -> None:
        """Flush a last time, when no rows come in any more. The next start adopts what cannot be flushed."""
        try:
            self.storage.event_store.flush()
            self.usage.metering.step()
            if self.storage.buffer is not None:
                self.storage.buffer.tidy()
        except Exception:  # noqa: BLE001 (whatever it is, the process stops)
            _log.exception("the last flush failed; the rows stay in the buffer")
        else:
            self.storage.writers.leave()
