"""The job of an account's export: has each stream exported, and gathers the files once all of them are done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import ClassVar

from airtally.accounts.accounts import Account
from airtally.database.store import MetadataStore
from airtally.erasure.account_export import (
    EXPORT_KEY,
    JOB_KIND,
    AccountExport,
    AccountExports,
    AccountFile,
    MeasuredLines,
)
from airtally.erasure.account_metadata import metadata_lines, quarantine_lines
from airtally.exports.export import COMING, Export, ExportState
from airtally.exports.service import Exports
from airtally.exports.spec import AskedRows, ExportFormat, ExportSpec
from airtally.exports.stored import folder_of
from airtally.files.store import FileStore
from airtally.jobs.lease import KeptLease
from airtally.jobs.queue import Job, Jobs
from airtally.jobs.worker import GivenUp, Worker, WorkerOptions
from airtally.kit.clock import Clock
from airtally.kit.errors import TooManyRequests
from airtally.kit.time import DAY_US
from airtally.streams import STREAMS
from airtally.streams.declaration import Kind, Stream

_LOOK_SECONDS = 2.0
#: A day after the files of the first stream are gone nobody can want the rest.
_PATIENCE_US = 2 * DAY_US


class AccountExportWorker(Worker):
    """While a stream is under way the job waits as a row, not as a thread."""

    name: ClassVar[str] = "account-exports"
    kinds: ClassVar[tuple[str, ...]] = (JOB_KIND,)
    thing: ClassVar[str] = "export"
    doing: ClassVar[str] = "Exporting this account"

    def __init__(
        self,
        account_exports: AccountExports,
        jobs: Jobs,
        clock: Clock,
        *,
        exports: Exports,
        files: FileStore,
        store: MetadataStore,
        drop_cancelled: Callable[[Job], None],
    ) -> None:
        super().__init__(jobs, clock, WorkerOptions(workers=1))
        self._account_exports = account_exports
        self._exports = exports
        self._files = files
        self._store = store
        self._drop_cancelled = drop_cancelled

    def work(self, job: Job, lease: KeptLease) -> None:
        """Look how far the streams are; gather the files once all are done. Raises GivenUp."""
        wanted, account = self._account_exports.of_job(job)
        try:
            made = {stream.name: self._export_of(wanted, account, stream) for stream in STREAMS.values()}
        except TooManyRequests as full:
            self._jobs.put_off(job, _LOOK_SECONDS, full.message)
            return
        lost = [each for each in made.values() if each.state not in {*COMING, ExportState.DONE}]
        if lost:
            raise GivenUp(f"Export {lost[0].id} of the account {lost[0].state}: {lost[0].error or 'it was cancelled'}")
        coming = [each for each in made.values() if each.state in COMING]
        if coming:
            if self._clock.now_us() - wanted.created_at > _PATIENCE_US:
                raise GivenUp(f"Export {coming[0].id} of the account does not end")
            self._jobs.progress(job, len(made) - len(coming), len(made))
            self._jobs.put_off(job, _LOOK_SECONDS, f"{len(coming)} of {len(made)} streams are under way")
            return
        files = [file for name, each in made.items() for file in self._parts(name, each)]
        files += self._other_files(wanted, account)
        self.check(lease)
        through = min((each.data_through for each in made.values() if each.data_through), default=None)
        expires_at = min((each.expires_at for each in made.values() if each.expires_at), default=None)
        self._account_exports.succeed(job, files, through, expires_at)

    def give_up(self, job: Job, reason: str) -> None:
        self._account_exports.fail(job, reason)

    def clean_up(self, job: Job) -> None:
        """An export that was cancelled leaves no export of a stream, also none of those that were just created."""
        self._drop_cancelled(job)

    def _export_of(self, wanted: AccountExport, account: Account, stream: Stream) -> Export:
        """The export of a stream: created by the first attempt that comes so far, and found by its key later."""
        key = f"{EXPORT_KEY}{wanted.id}-{stream.name}"
        found = self._exports.by_key(account, key)
        if found is not None:
            return found
        rows = AskedRows(stream.name, versions=stream.kind is Kind.CHANGELOG)
        spec = ExportSpec(rows=rows, format=ExportFormat.PARQUET)
        return self._exports.create(account, spec, requested_by=wanted.requested_by, key=key)

    def _parts(self, stream: str, export: Export) -> Iterator[AccountFile]:
        after = 0
        while page := self._exports.parts(export, after=after):
            for part in page:
                name = f"{stream}/{part.file_name(export.spec)}"
                file = AccountFile(name, part.stored_name, part.rows, part.bytes, part.sha256, export.id, part.number)
                yield file
            after = page[-1].number

    def _other_files(self, wanted: AccountExport, account: Account) -> Iterator[AccountFile]:
        """In the folder of the first stream's export, whose files are deleted at the same time."""
        first = self._export_of(wanted, account, next(iter(STREAMS.values())))
        sources = {"metadata.ndjson": metadata_lines, "quarantine.ndjson": quarantine_lines}
        for name, lines_of in sources.items():
            lines = MeasuredLines(lines_of(self._store, account.id))
            stored = f"{folder_of(account.slug, first.id)}/{name}"
            self._files.write(stored, lines)
            yield AccountFile(name, stored, lines.rows, lines.bytes, lines.sha256)
