"""Stored figures of the days that rows were erased from: built anew in the background, and not used until then."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select

from airtally.accounts.accounts import Account
from airtally.database.store import MetadataStore
from airtally.database.tables import erasure_steps
from airtally.erasure.journal import LAKE, StepJournal
from airtally.erasure.person import PERSON_STREAMS, Person
from airtally.erasure.records import ErasureFinding, ErasureTask, StepState
from airtally.erasure.store_protocol import Check
from airtally.rollups.rollups import Rollups
from airtally.streams.declaration import Stream
from airtally.streams.rollup import Rollup

ROLLUPS = "rollups"
SOON = "days are built anew in the background; until then answers are made of the rows"


class RollupDays:
    """No rollup has a column that names a person, so what there is to erase are counts of rows that are gone."""

    def __init__(self, store: MetadataStore, rollups: Rollups) -> None:
        self._store = store
        self._rollups = rollups

    def count(self, account: Account, person: Person) -> Iterable[ErasureFinding]:  # noqa: ARG002 (of the protocol)
        """Nothing: which days there are is known once rows are erased."""
        return ()

    def erase(self, task: ErasureTask, journal: StepJournal, check: Check) -> None:
        """Changes nothing, since the commits that removed rows made their days stale; notes how many there are."""
        for stream in PERSON_STREAMS:
            days = self._days(task, stream) if stream.rollups else set()
            for rollup in stream.rollups if days else ():
                check()
                stale = len(days & self._stale(task.account, stream, rollup))
                journal.state(
                    ErasureFinding(ROLLUPS, rollup.name, len(days), len(days) - stale, stale, SOON if stale else None)
                )

    def _stale(self, account: Account, stream: Stream, rollup: Rollup) -> set[str]:
        table = self._rollups.lake.table(stream)
        view = table.newest()
        if view is None:
            return set()
        changed = self._rollups.changed_days(table).of_account(account.slug, view)
        segments = self._rollups.table(rollup).newest()
        return set(self._rollups.stale_days(account.slug, segments, changed, view.version))

    def _days(self, task: ErasureTask, stream: Stream) -> set[str]:
        """The days (ISO) that rows were erased from."""
        query = select(erasure_steps.c.part).where(
            erasure_steps.c.erasure_id == task.erasure.id,
            erasure_steps.c.store == LAKE,
            erasure_steps.c.state == StepState.DONE,
            erasure_steps.c.erased > 0,
            erasure_steps.c.part.startswith(f"{stream.name}/", autoescape=True),
        )
        with self._store.read() as connection:
            return {part.partition("/")[2] for part in connection.execute(query).scalars()}
