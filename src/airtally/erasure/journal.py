"""The steps of an erasure, each noted before it is committed, so that a job that died knows what it did."""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection, delete, insert, select, update

from airtally.database.store import MetadataStore
from airtally.database.tables import erasure_steps
from airtally.erasure.records import ErasureFinding, ErasureTask, StepState
from airtally.kit.clock import Clock
from airtally.storage.lake.removal import RemovalStep

LAKE = "lake"


class StepJournal:
    """`storage.lake.removal.RemovalJournal` for one erasure. Of its holders, the one with the job's lease works."""

    def __init__(self, store: MetadataStore, clock: Clock, task: ErasureTask) -> None:
        self._store = store
        self._clock = clock
        self._erasure_id = task.erasure.id
        self.app_id = task.app_id

    def prepare(self, step: RemovalStep) -> int:
        """See `RemovalJournal`."""
        part = step.table if step.scope.day is None else f"{step.table}/{step.scope.day}"
        values = self._row(ErasureFinding(LAKE, part, step.named, step.rows), StepState.PREPARED, step.files)
        with self._store.begin() as connection:
            return int(
                connection.execute(insert(erasure_steps).values(values).returning(erasure_steps.c.id)).scalar_one()
            )

    def settle(self, table: str, committed: int) -> None:
        """See `RemovalJournal`. A step that is taken for undone may turn out to have been committed late."""
        of_table = (erasure_steps.c.part == table) | erasure_steps.c.part.startswith(f"{table}/", autoescape=True)
        open_steps = (
            erasure_steps.c.erasure_id == self._erasure_id,
            erasure_steps.c.store == LAKE,
            of_table,
            erasure_steps.c.state != StepState.DONE,
        )
        with self._store.begin() as connection:
            done = update(erasure_steps).where(*open_steps, erasure_steps.c.id == committed)
            connection.execute(done.values(state=StepState.DONE))
            rest = update(erasure_steps).where(*open_steps, erasure_steps.c.state == StepState.PREPARED)
            connection.execute(rest.values(state=StepState.UNDONE))

    def note_within(self, connection: Connection, finding: ErasureFinding, files: tuple[str, ...] = ()) -> None:
        """Note what the caller's transaction does to another store; nothing where there was nothing."""
        if finding.found or finding.erased or finding.remains:
            connection.execute(insert(erasure_steps).values(self._row(finding, StepState.DONE, files)))

    def state(self, finding: ErasureFinding, files: tuple[str, ...] = ()) -> None:
        """Note what is known of a part of another store, in place of what was noted of it before.

        `files` are those of a table in the lake that were replaced.
        """
        before = (
            erasure_steps.c.erasure_id == self._erasure_id,
            erasure_steps.c.store == finding.store,
            erasure_steps.c.part == finding.part,
        )
        with self._store.begin() as connection:
            connection.execute(delete(erasure_steps).where(*before))
            self.note_within(connection, finding, files)

    def replaced_files(self) -> dict[tuple[str, str], list[str]]:
        """The files that were replaced in the lake, by store (the lake's rows, the rollups' figures) and table."""
        query = select(erasure_steps.c.store, erasure_steps.c.part, erasure_steps.c.files).where(
            erasure_steps.c.erasure_id == self._erasure_id,
            erasure_steps.c.state == StepState.DONE,
            erasure_steps.c.files != "[]",
        )
        found: dict[tuple[str, str], list[str]] = {}
        with self._store.read() as connection:
            for store, part, files in connection.execute(query):
                table = part.partition("/")[0]
                found.setdefault((store, table), []).extend(msgspec.json.decode(files, type=list[str]))
        return found

    def _row(self, finding: ErasureFinding, state: StepState, files: tuple[str, ...]) -> dict[str, object]:
        return {
            "erasure_id": self._erasure_id,
            "store": finding.store,
            "part": finding.part,
            "state": state,
            "found": finding.found,
            "erased": finding.erased,
            "remains": finding.remains,
            "why": finding.why,
            "files": msgspec.json.encode(files).decode(),
            "noted_at": self._clock.now_us(),
        }
