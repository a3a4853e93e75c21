"""Makes exports: claims a job, pins a snapshot, renders parts, stores and notes each, and ends the export."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import msgspec
import structlog

from airtally.accounts.accounts import Account
from airtally.engine.protocol import FilesMissing
from airtally.exports.export import LARGE_KIND, SMALL_KIND, Export
from airtally.exports.lanes import Pin, RenderedPart
from airtally.exports.ledger import ExportLedger, NotedPart
from airtally.exports.planner import ExportPlanner
from airtally.exports.render import ExportRenderer, Rendering
from airtally.exports.staging import discard, fresh_folder
from airtally.exports.statement_render import StatementRendering
from airtally.exports.stored import folder_of, new_pin_name
from airtally.exports.wanted import WantedFigures, WantedRows, WantedStatement
from airtally.files.store import FileStore
from airtally.jobs.lease import KeptLease
from airtally.jobs.leased_table import LeaseLost
from airtally.jobs.queue import Job, Jobs
from airtally.jobs.worker import WaitUntilVisible, Worker, WorkerOptions
from airtally.kit.clock import Clock
from airtally.kit.disks import check_reserve
from airtally.kit.errors import NotFound, TooLargeAtOnce
from airtally.kit.faults import NO_FAULTS, Faults
from airtally.query.answering import PreparedQuestion
from airtally.query.service import Queries
from airtally.query.sql_service import PreparedStatement, SqlQueries

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportWorkOptions(WorkerOptions):
    """`staging` is the folder for parts that are being written."""

    staging: Path


@dataclass(frozen=True, slots=True)
class ExportParts:
    """What workers of exports work with."""

    ledger: ExportLedger
    planner: ExportPlanner
    queries: Queries
    sql: SqlQueries
    renderer: ExportRenderer
    files: FileStore


@dataclass(frozen=True, slots=True)
class _Attempt:
    account: Account
    export: Export
    job: Job

    @property
    def folder(self) -> str:
        """Of its stored files."""
        return folder_of(self.account.slug, self.export.id)


class ExportWorker(Worker):
    """Makes the exports that read few rows."""

    name: ClassVar[str] = "exports"
    kinds: ClassVar[tuple[str, ...]] = (SMALL_KIND,)
    thing: ClassVar[str] = "export"
    doing: ClassVar[str] = "Making this export"

    def __init__(
        self,
        with_: ExportParts,
        jobs: Jobs,
        clock: Clock,
        *,
        options: ExportWorkOptions,
        wait_until_visible: WaitUntilVisible,
        faults: Faults = NO_FAULTS,
    ) -> None:
        super().__init__(jobs, clock, options)
        self._ledger, self._planner = with_.ledger, with_.planner
        self._queries, self._sql = with_.queries, with_.sql
        self._renderer, self._files = with_.renderer, with_.files
        self._staging = options.staging
        self._wait_until_visible = wait_until_visible
        self._faults = faults

    def work(self, job: Job, lease: KeptLease) -> None:
        self._faults.reach("export.begin")
        attempt = _Attempt(*self._ledger.of_job(job), job)
        self.wait_for_rows_of(job, self._wait_until_visible)
        folder = fresh_folder(self._staging, attempt.export.id, job.attempts)
        try:
            self._make(attempt, lease, folder)
        except FilesMissing:
            self._ledger.forget_pin(job, attempt.export)
            raise
        self._publish(attempt, lease)
        discard(self._staging, attempt.export.id)

    def give_up(self, job: Job, reason: str) -> None:
        _, export = self._ledger.of_job(job)
        self._ledger.fail(export, job, reason)
        discard(self._staging, export.id)

    def _make(self, attempt: _Attempt, lease: KeptLease, folder: Path) -> None:
        """In this process where that is quicker; in the child, which has no limit of time, where it takes too long."""
        for in_child in (False, True):
            try:
                with self._begun(attempt, lease, folder, in_child=in_child) as rendering:
                    self._render(attempt, lease, rendering)
            except TooLargeAtOnce:
                if in_child:
                    raise
            else:
                return

    def _begun(
        self, attempt: _Attempt, lease: KeptLease, folder: Path, *, in_child: bool
    ) -> Rendering | StatementRendering:
        export = attempt.export
        wanted = self._planner.plan(export.spec, attempt.account, export.as_of)
        if isinstance(wanted, WantedFigures):
            prepared = self._prepared(attempt, wanted)
            return self._renderer.figures(wanted, export.spec, prepared, folder, in_child=in_child)
        if isinstance(wanted, WantedStatement):
            made = self._prepared_statement(attempt, wanted)
            return self._renderer.statement(wanted, export.spec, made, folder, lambda: self.check(lease))
        pin = self._pinned(attempt, wanted)
        parts = self._kept_parts(attempt)
        return self._renderer.rows(wanted, export.spec, pin, parts, folder, in_child=in_child)

    def _prepared(self, attempt: _Attempt, wanted: WantedFigures) -> PreparedQuestion:
        """Figures are computed anew by each attempt."""
        prepared = self._queries.prepare(wanted.question)
        self._ledger.note_pinned(attempt.job, attempt.export, None, prepared.view.data_through_us)
        return prepared

    def _prepared_statement(self, attempt: _Attempt, wanted: WantedStatement) -> PreparedStatement:
        """Run anew by each attempt."""
        prepared = self._sql.prepare(wanted.account, wanted.statement, wanted.now_us)
        self._ledger.note_pinned(attempt.job, attempt.export, None, prepared.data_through_us)
        return prepared

    def _pinned(self, attempt: _Attempt, wanted: WantedRows) -> Pin:
        """What an earlier attempt has pinned, where it can be read; else what is there now."""
        name = self._ledger.pin(attempt.export)
        found = None if name is None else self._read_pin(name)
        if found is not None:
            return found
        pin = self._renderer.pin(wanted, attempt.export.spec)
        name = new_pin_name(attempt.account.slug, attempt.export.id)
        self._files.write(name, [msgspec.msgpack.encode(pin)])
        self._ledger.note_pinned(attempt.job, attempt.export, name, pin.data_through_us)
        return pin

    def _read_pin(self, name: str) -> Pin | None:
        try:
            return msgspec.msgpack.decode(b"".join(self._files.read(name)), type=Pin)
        except (NotFound, msgspec.DecodeError):  # on another machine's disk, or of another release
            return None

    def _kept_parts(self, attempt: _Attempt) -> list[NotedPart]:
        """The parts behind which each lane can go on; those after them are made again."""
        parts = self._ledger.parts(attempt.export)
        lasts = {each.lane: each.place for each in parts if each.then is not None}
        kept = [each for each in parts if each.place <= lasts.get(each.lane, -1)]
        if len(kept) < len(parts):
            self._ledger.drop_parts(attempt.job, attempt.export, [each for each in parts if each not in kept])
        return kept

    def _render(self, attempt: _Attempt, lease: KeptLease, rendering: Rendering | StatementRendering) -> None:
        over = False
        while not over:
            self.check(lease)
            check_reserve(self._staging)
            made = rendering.advance()
            over = made.over
            self._note(attempt, made.parts, made.done_rows, rendering.rows)
            self._faults.reach("export.part")
            self._ledger.check_room(attempt.account, attempt.export)
        if not self._ledger.parts(attempt.export):
            self._note(attempt, [rendering.empty_part()], rendering.rows, rendering.rows)

    def _note(self, attempt: _Attempt, parts: Sequence[RenderedPart], done: int, total: int) -> None:
        """Store the parts, then note them; delete them again if the lease was lost."""
        stored = [self._stored(attempt, each) for each in parts]
        try:
            self._ledger.note_parts(attempt.job, attempt.export, stored, done, total)
        except LeaseLost:
            self._delete(each.stored_name for each in stored)
            raise

    def _stored(self, attempt: _Attempt, part: RenderedPart) -> NotedPart:
        path = Path(part.path)
        name = f"{attempt.folder}/{path.name}"
        self._files.take(name, path)
        return NotedPart(part.lane, part.place, name, part.rows, part.bytes, part.sha256, part.then)

    def _publish(self, attempt: _Attempt, lease: KeptLease) -> None:
        """End the export. What attempts that were cut off have left is deleted first, the pin last."""
        parts, pin = self._ledger.parts(attempt.export), self._ledger.pin(attempt.export)
        known = {pin, *(each.stored_name for each in parts)}
        self._delete(name for name in self._files.names(attempt.folder) if name not in known)
        self._faults.reach("export.publish")
        lease.check()
        self._ledger.succeed(attempt.export, attempt.job)
        self._delete([] if pin is None else [pin])

    def _delete(self, names: Iterable[str]) -> None:
        for name in names:
            self._files.delete(name)


class LargeExportWorker(ExportWorker):
    """Makes the others, beside them: a large export never keeps a small one waiting."""

    name: ClassVar[str] = "large-exports"
    kinds: ClassVar[tuple[str, ...]] = (LARGE_KIND,)
