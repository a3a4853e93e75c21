"""Deletes the files of exports that nobody may fetch any more, and forgets exports long after that."""

from __future__ import annotations

from pathlib import Path

import structlog
from sqlalchemy import Text, case, cast, delete, select, update

from airtally.accounts.accounts import Account
from airtally.database.store import MetadataStore
from airtally.database.tables import export_parts, exports, jobs
from airtally.exports.endings import state_at
from airtally.exports.export import KINDS, Export, ExportState
from airtally.exports.ledger import select_with_account
from airtally.exports.staging import discard, left_over
from airtally.exports.stored import folder_of
from airtally.files.store import FileStore
from airtally.kit.clock import Clock
from airtally.kit.time import DAY_US, SECOND_US

_log = structlog.get_logger()

#: How long after an export's end its files are looked for: a worker that was taken its job may still store one.
GRACE_US = 180 * SECOND_US
#: How long an export is listed after its files were deleted.
LISTED_US = 90 * DAY_US
_AT_ONCE = 100


class ExportExpiry:
    """Thread-safe: it has no state of its own."""

    def __init__(self, store: MetadataStore, files: FileStore, clock: Clock, staging: Path) -> None:
        self._store, self._files, self._clock = store, files, clock
        self._staging = staging

    def step(self) -> float | None:
        """Delete what is due; returns 0 where there may be more."""
        due = self.due()
        for account, export in due:
            names = self._files.names(folder_of(account.slug, export.id))
            if self._is_under_way(export.id):
                continue  # begun anew meanwhile: whatever is stored for it from now on is not among the names
            for name in names:
                self._files.delete(name)
            self._note_deleted(export)
            _log.info("export files deleted", export=export.id, account=account.slug, state=export.state)
        for export_id in left_over(self._staging):
            if not self._is_under_way(export_id):
                discard(self._staging, export_id)
        forgotten = self._forget()
        return 0.0 if due or forgotten else None

    def due(self) -> list[tuple[Account, Export]]:
        """Exports with files that nobody may fetch any more, the oldest first."""
        now = self._clock.now_us()
        over = (
            exports.c.files_deleted_at.is_(None),
            exports.c.finished_at <= now - GRACE_US,
            state_at(now).in_((ExportState.FAILED, ExportState.CANCELLED, ExportState.EXPIRED)),
        )
        query = select_with_account().where(*over).order_by(exports.c.finished_at).limit(_AT_ONCE)
        with self._store.read() as connection:
            return [(Account.from_row(row), Export.from_row(row, now)) for row in connection.execute(query)]

    def _note_deleted(self, export: Export) -> None:
        """An export that was done is expired from then on, also where the clock is set back."""
        state = case((exports.c.state == ExportState.DONE, ExportState.EXPIRED), else_=exports.c.state)
        values = {"state": state, "files_deleted_at": self._clock.now_us(), "pin": None}
        ended = exports.c.id == export.id, exports.c.state != ExportState.QUEUED
        with self._store.begin() as connection:
            if connection.execute(update(exports).where(*ended).values(values)).rowcount:
                connection.execute(delete(export_parts).where(export_parts.c.export_id == export.id))

    def _forget(self) -> int:
        old = exports.c.files_deleted_at <= self._clock.now_us() - LISTED_US
        with self._store.begin() as connection:
            ids = connection.execute(select(exports.c.id).where(old).limit(_AT_ONCE)).scalars().all()
            if ids:
                subjects = select(cast(exports.c.id, Text)).where(exports.c.id.in_(ids))
                connection.execute(delete(jobs).where(jobs.c.kind.in_(KINDS), jobs.c.subject.in_(subjects)))
                connection.execute(delete(exports).where(exports.c.id.in_(ids)))
        return len(ids)

    def _is_under_way(self, export_id: int) -> bool:
        query = select(exports.c.id).where(exports.c.id == export_id, exports.c.state == ExportState.QUEUED)
        with self._store.read() as connection:
            return connection.execute(query).first() is not None
