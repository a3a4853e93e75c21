"""All rows of a deleted account in the lake, and the figures stored of them."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import delete

from airtally.database.store import MetadataStore
from airtally.database.tables import rollup_changes
from airtally.erasure.journal import StepJournal
from airtally.erasure.records import ErasureFinding, ErasureTask
from airtally.erasure.rollup_days import ROLLUPS
from airtally.erasure.store_protocol import Check
from airtally.kit.runner import Runner
from airtally.rollups.removal import remove_account
from airtally.rollups.rollups import Rollups
from airtally.storage.lake import Lake
from airtally.storage.lake.removal import Remover

_PASSES = 10


class AccountRows:
    """`scratch` is a folder for temporary files, `memory` what the work in the child process may use, in bytes."""

    def __init__(self, lake: Lake, runner: Runner, *, scratch: Path, memory: int) -> None:
        self._lake = lake
        self._runner = runner
        self._scratch = scratch
        self._memory = memory

    def erase(self, task: ErasureTask, journal: StepJournal, check: Check) -> None:
        """Table by table, until no row is left: a file may have been being loaded."""
        for table in self._lake.existing():
            remover = Remover(table, self._runner, scratch=self._scratch, memory=self._memory, check=check)
            remover.settle(journal)
            for _ in range(_PASSES):
                scopes = remover.scopes(task.account.slug)
                if not sum(remover.remove_account(scope, task.account.slug, journal) for scope in scopes):
                    break


class AccountSegments:
    """Nothing is built of a deleted account, so that what is removed here does not come back."""

    def __init__(self, store: MetadataStore, rollups: Rollups) -> None:
        self._store = store
        self._rollups = rollups

    def erase(self, task: ErasureTask, journal: StepJournal, check: Check) -> None:
        slug = task.account.slug
        for table in self._rollups.tables():
            check()
            files = remove_account(self._rollups, table, slug)
            if files:
                journal.state(ErasureFinding(ROLLUPS, table.name, len(files), len(files)), files)
        with self._store.begin() as connection:
            connection.execute(delete(rollup_changes).where(rollup_changes.c.account == slug))
