"""Ends exports, and tells whoever waits for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Text, and_, case, cast, select, update

from airtally.database.tables import exports, jobs
from airtally.exports.export import EXPORT_COLUMNS, KINDS, Export, ExportState
from airtally.jobs.states import JobState

#: Called in the transaction that ends an export, to note what follows from it.
Ending = Callable[[Connection, Export], None]


class ExportEndings:
    """`within` are called in the transaction that ends an export, each end once; `after` in this process, after it."""

    def __init__(self) -> None:
        self.within: list[Ending] = []
        self.after: list[Callable[[Export], None]] = []

    def end(
        self, connection: Connection, where: Sequence[ColumnElement[bool]], state: ExportState, now: int, **values: Any
    ) -> Export | None:
        """End an export that is under way; None if it is not."""
        ended = update(exports).where(*where, exports.c.state == ExportState.QUEUED)
        ended = ended.values(values | {"state": state, "finished_at": now})
        export_id = connection.execute(ended.returning(exports.c.id)).scalar_one_or_none()
        if export_id is None:
            return None
        query = select_exports().where(exports.c.id == export_id)
        export = Export.from_row(connection.execute(query).one(), now)
        for note in self.within:
            note(connection, export)
        return export

    def tell(self, export: Export | None) -> None:
        """To be called after the transaction, with what `end` gave."""
        if export is not None:
            for call in self.after:
                call(export)


def select_exports(*more: ColumnElement[Any]) -> Select[Any]:
    """EXPORT_COLUMNS and more, each export with its job where it has one."""
    same = and_(jobs.c.kind.in_(KINDS), jobs.c.subject == cast(exports.c.id, Text))
    return select(*EXPORT_COLUMNS, *more).select_from(exports.outerjoin(jobs, same))


def state_at(now_us: int) -> ColumnElement[str]:
    """The state as `Export.from_row` has it."""
    running = and_(exports.c.state == ExportState.QUEUED, jobs.c.state == JobState.RUNNING)
    expired = and_(exports.c.state == ExportState.DONE, exports.c.expires_at <= now_us)
    found: ColumnElement[str] = case(
        (running, ExportState.RUNNING), (expired, ExportState.EXPIRED), else_=exports.c.state
    )
    return found
