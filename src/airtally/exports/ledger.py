"""What workers note of exports: their parts, their ends and their deleted files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Select, case, func, select, update

from airtally.accounts.accounts import ACCOUNT_COLUMNS, Account
from airtally.database.store import MetadataStore
from airtally.database.tables import accounts, export_parts, exports
from airtally.exports.endings import ExportEndings, select_exports, state_at
from airtally.exports.export import Export, ExportLimits, ExportPart, ExportState
from airtally.jobs.queue import Job, Jobs
from airtally.kit.clock import Clock
from airtally.kit.time import DAY_US


class ExportLedger:
    """Thread-safe: every call is a transaction. What is noted for a job is fenced by its lease."""

    def __init__(
        self, store: MetadataStore, clock: Clock, jobs: Jobs, endings: ExportEndings, limits: ExportLimits
    ) -> None:
        self._store = store
        self._clock = clock
        self._jobs = jobs
        self._endings = endings
        self.limits = limits

    def of_job(self, job: Job) -> tuple[Account, Export]:
        """The export that a job is to make."""
        query = _with_account()
        with self._store.read() as connection:
            row = connection.execute(query.where(exports.c.id == int(job.subject))).one()
        return Account.from_row(row), Export.from_row(row, self._clock.now_us())

    def done_parts(self, export: Export) -> list[ExportPart]:
        """The parts that are finished, whatever the export's state, in their order."""
        query = select(*export_parts.c).where(export_parts.c.export_id == export.id).order_by(export_parts.c.number)
        with self._store.read() as connection:
            return [ExportPart.from_row(row) for row in connection.execute(query)]

    def kept_bytes(self, account_id: int) -> int:
        """Bytes of the account's files that are not deleted yet, those of exports under way among them."""
        kept = (exports.c.account_id == account_id, exports.c.files_deleted_at.is_(None))
        query = select(func.coalesce(func.sum(exports.c.bytes), 0)).where(*kept)
        with self._store.read() as connection:
            return int(connection.execute(query).scalar_one())

    def begin_again(self, job: Job, export: Export) -> None:
        """Forget the parts of an attempt whose snapshot is gone. Raises LeaseLost."""
        with self._store.begin() as connection:
            self._jobs.progress_within(connection, job, 0)
            connection.execute(export_parts.delete().where(export_parts.c.export_id == export.id))
            none = {"parts": 0, "rows": 0, "bytes": 0}
            connection.execute(update(exports).where(exports.c.id == export.id).values(none))

    def note_pinned(self, export: Export, data_through_us: int) -> None:
        """The export has begun: what it is made from has all rows received by then."""
        begun = func.coalesce(exports.c.started_at, self._clock.now_us())
        values = {"started_at": begun, "data_through": data_through_us}
        with self._store.begin() as connection:
            connection.execute(update(exports).where(exports.c.id == export.id).values(values))

    def note_parts(self, job: Job, export: Export, parts: Sequence[ExportPart], done: int, total: int) -> None:
        """Finished parts, already stored, and the progress in rows read. Raises LeaseLost; then none is noted."""
        added = {
            "parts": exports.c.parts + len(parts),
            "rows": exports.c.rows + sum(each.rows for each in parts),
            "bytes": exports.c.bytes + sum(each.bytes for each in parts),
        }
        with self._store.begin() as connection:
            self._jobs.progress_within(connection, job, done, total)
            if parts:
                connection.execute(export_parts.insert(), [asdict(each) for each in parts])
                connection.execute(update(exports).where(exports.c.id == export.id).values(added))

    def succeed(self, export: Export, job: Job) -> None:
        """End export and job; every part is stored and noted. Raises LeaseLost."""
        now = self._clock.now_us()
        expires_at = now + self.limits.days * DAY_US
        with self._store.begin() as connection:
            self._jobs.finish(connection, job)
            done = self._endings.end(
                connection, (exports.c.id == export.id,), ExportState.DONE, now, expires_at=expires_at
            )
        self._endings.tell(done)

    def fail(self, export: Export, job: Job, reason: str) -> None:
        """End export and job as failed, with the reason in words for a person. Raises LeaseLost."""
        with self._store.begin() as connection:
            self._jobs.fail(connection, job, reason)
            mine = (exports.c.id == export.id,)
            failed = self._endings.end(connection, mine, ExportState.FAILED, self._clock.now_us(), error=reason)
        self._endings.tell(failed)

    def with_files_to_delete(self, before_us: int, limit: int = 100) -> list[tuple[Account, Export]]:
        """Exports whose files nobody may fetch any more, of those that ended before a moment, oldest first."""
        now = self._clock.now_us()
        over = (
            exports.c.files_deleted_at.is_(None),
            exports.c.finished_at <= before_us,
            state_at(now).in_((ExportState.FAILED, ExportState.CANCELLED, ExportState.EXPIRED)),
        )
        query = _with_account()
        with self._store.read() as connection:
            found = connection.execute(query.where(*over).order_by(exports.c.finished_at).limit(limit)).all()
        return [(Account.from_row(row), Export.from_row(row, now)) for row in found]

    def note_deleted(self, export: Export) -> None:
        """Record that the files were deleted; an export that was done is expired from then on."""
        state = case((exports.c.state == ExportState.DONE, ExportState.EXPIRED), else_=exports.c.state)
        values = {"state": state, "files_deleted_at": self._clock.now_us()}
        with self._store.begin() as connection:
            connection.execute(update(exports).where(exports.c.id == export.id).values(values))


def _with_account() -> Select[Any]:
    return select_exports(*ACCOUNT_COLUMNS).join(accounts, accounts.c.id == exports.c.account_id)
