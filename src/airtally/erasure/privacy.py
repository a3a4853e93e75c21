"""The parts of erasing and closing, as handlers and commands get them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from airtally.accounts.accounts import Accounts
from airtally.accounts.keys import Keys
from airtally.accounts.secrets import Secrets
from airtally.database.store import MetadataStore
from airtally.erasure.account_export import AccountExports
from airtally.erasure.account_export_subject import AccountExportSubject
from airtally.erasure.account_export_worker import AccountExportWorker
from airtally.erasure.account_files import AccountFiles, AccountMetadata
from airtally.erasure.account_rows import AccountRows, AccountSegments
from airtally.erasure.acknowledgements import Acknowledgements
from airtally.erasure.closing import AccountClosing
from airtally.erasure.erasures import JOB_KIND, Erasures
from airtally.erasure.export_files import ExportFiles
from airtally.erasure.export_filters import ExportFilters
from airtally.erasure.kept_mentions import KeptMentions
from airtally.erasure.lake_rows import LakeRows
from airtally.erasure.leftovers import Leftovers
from airtally.erasure.made_files import ConsoleUsers, PublishedFiles, StatisticFiles
from airtally.erasure.preview import ErasurePreview
from airtally.erasure.quarantine_rows import QuarantineRows
from airtally.erasure.recipient_lists import RecipientLists
from airtally.erasure.rollup_days import RollupDays
from airtally.erasure.sent_messages import SentMessages
from airtally.erasure.store_protocol import ErasableStore, PersonStore
from airtally.erasure.worker import ErasureWorker
from airtally.exports.service import Exports
from airtally.files.store import FileStore
from airtally.jobs.queue import Jobs
from airtally.kit.clock import Clock
from airtally.kit.faults import NO_FAULTS, Faults
from airtally.kit.runner import Runner
from airtally.rollups.rollups import Rollups
from airtally.statistics.service import Statistics
from airtally.storage.buffer import Buffer
from airtally.storage.store import EventStore
from airtally.storage.writers import Writers


@dataclass(frozen=True, slots=True)
class ErasureContext:
    """What erasing works on and with.

    `home` has the folders of buffers and of temporary files; `memory` of the child process in bytes.
    """

    store: MetadataStore
    clock: Clock
    jobs: Jobs
    secrets: Secrets
    accounts: Accounts
    keys: Keys
    event_store: EventStore
    buffer: Buffer | None
    writers: Writers
    rollups: Rollups
    runner: Runner
    files: FileStore
    statistics: Statistics
    exports: Exports
    home: Path
    memory: int
    closed_days: int
    faults: Faults = NO_FAULTS


class Privacy:
    """Erasures of persons and the closing of accounts. Thread-safe, as all its parts are."""

    def __init__(self, context: ErasureContext) -> None:
        self._context = context
        store, clock = context.store, context.clock
        self.lake_rows = LakeRows(
            context.event_store, context.runner, scratch=context.home / "tmp", memory=context.memory
        )
        self.stores = self._person_stores()
        self.erasures = Erasures(store, clock, context.jobs, context.secrets)
        self.account_exports = AccountExports(store, clock, context.jobs)
        self.preview = ErasurePreview(self.lake_rows, self.stores, clock, context.writers.wait_until_visible)
        flush: Callable[[], object] = context.event_store.flush
        self.acknowledgements = Acknowledgements(store, clock, context.buffer, flush, context.home / "buffer")
        self.closing = AccountClosing(
            store, clock, context.accounts, context.keys, self.erasures, days=context.closed_days
        )

    def account_export_subject(self) -> AccountExportSubject:
        """What cancels exports of whole accounts, and begins them anew."""
        context = self._context
        return AccountExportSubject(context.store, self.account_exports, context.exports, context.accounts)

    def account_export_worker(self) -> AccountExportWorker:
        """The worker on exports of whole accounts, beside which workers on exports run."""
        context = self._context
        return AccountExportWorker(
            self.account_exports,
            context.jobs,
            context.clock,
            exports=context.exports,
            files=context.files,
            store=context.store,
            drop_cancelled=self.account_export_subject().drop_cancelled,
        )

    def worker(self) -> ErasureWorker:
        """The worker on erasures of persons and accounts."""
        context = self._context
        return ErasureWorker(
            self.erasures,
            context.jobs,
            context.store,
            context.clock,
            acknowledgements=self.acknowledgements,
            lake_rows=self.lake_rows,
            stores=self.stores,
            account_stores=self._account_stores(),
            rollup_days=RollupDays(context.store, context.rollups),
            leftovers=Leftovers(
                *(context.event_store.lake, context.rollups, context.clock),
                lambda: context.jobs.oldest_running(JOB_KIND),
            ),
            faults=context.faults,
        )

    def _person_stores(self) -> tuple[PersonStore, ...]:
        """In the order in which they are erased: what is made of rows comes after the rows."""
        context = self._context
        return (
            self.lake_rows,
            RollupDays(context.store, context.rollups),
            QuarantineRows(context.store, context.faults),
            StatisticFiles(context.store, context.statistics, context.files),
            ExportFiles(context.exports),
            PublishedFiles(context.store),
            ExportFilters(context.store, context.exports),
            SentMessages(context.store),
            RecipientLists(context.store, context.clock),
            ConsoleUsers(context.store),
            KeptMentions(context.store),
        )

    def _account_stores(self) -> tuple[ErasableStore, ...]:
        context = self._context
        lake = context.event_store.lake
        return (
            AccountRows(lake, context.runner, scratch=context.home / "tmp", memory=context.memory),
            AccountSegments(context.store, context.rollups),
            AccountFiles(context.store, context.files),
            AccountMetadata(context.store),
        )
