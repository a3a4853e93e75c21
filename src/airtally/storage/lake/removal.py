"""Takes rows out of a table: those that name a person, or all of an account.

Each scope (an event's day, or all days of a changelog) is one commit, so that no reader sees an event's earlier row in
place of the one that went. The commit carries the number of its step as an application transaction: after a crash the
table itself says which steps were done. Compaction and other rewrites at the same time make one of the two plan again.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import structlog
from deltalake.transaction import AddAction, RemoveAction

from airtally.kit.runner import Runner
from airtally.storage.lake.data_files import added, removed
from airtally.storage.lake.delta import CommitConflict
from airtally.storage.lake.file_work import FileWorkPlace
from airtally.storage.lake.removal_search import (
    NOTHING,
    FileRemoval,
    FoundRows,
    Remainder,
    RemovalRule,
    RemovalSearch,
    search,
    written_without,
)
from airtally.storage.lake.table import LakeTable, changed_note
from airtally.storage.lake.table_version import LiveFile, TableVersion
from airtally.streams.declaration import Partition

_MEMORY = 512 << 20
#: Of a table that others rewrite all the time: each time only what they changed is written anew.
_TRIES = 50

#: Files of a search in its folder.
ROWS, RECORDS = "rows.parquet", "records.parquet"

_log = structlog.get_logger()

#: From what was found and, for a changelog, the file (Parquet) of the records that go whole.
Announce = Callable[[FoundRows, Path], None]


@dataclass(frozen=True, slots=True)
class RemovalScope:
    """What one commit changes: a day's files, or with `day` None those of the whole table."""

    day: str | None

    def files(self, table_version: TableVersion, account: str) -> list[LiveFile]:
        """The files that can hold the account's rows."""
        files = table_version.prune(account, None, None)
        return files if self.day is None else [file for file in files if file.data.day == self.day]


@dataclass(frozen=True, slots=True)
class RemovalStep:
    """What a step takes away: `rows`, of which `named` name the person, by writing `files` (their names) anew."""

    table: str
    scope: RemovalScope
    named: int
    rows: int
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Prepared:
    """Files to be removed, and by their names what is left of each."""

    account: str
    scope: RemovalScope
    named: int
    rows: int
    files: list[LiveFile]
    written: Mapping[str, Remainder]


#: Of each file that was written anew: the digest of the rows that went, and what is left.
_Written = dict[str, tuple[int, Remainder]]


class RemovalJournal(Protocol):
    """Notes each step before it is committed, so that what was done is known after a crash."""

    @property
    def app_id(self) -> str:
        """The application whose transaction version in a table is the number of the last step done to it."""
        ...

    def prepare(self, step: RemovalStep) -> int:
        """Note a step that is about to be committed; returns its number, which is larger than all before."""
        ...

    def settle(self, table: str, committed: int) -> None:
        """Of the steps of a table that are noted, the one of this number is done; the others were not."""
        ...


class Remover:
    """Removes rows of one table. `check` is called between files, and raises where the work is to stop."""

    def __init__(
        self,
        table: LakeTable,
        runner: Runner,
        *,
        scratch: Path,
        memory: int = _MEMORY,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self._table = table
        self._runner = runner
        self._scratch = scratch
        self._place = FileWorkPlace(table.url, dict(table.storage.options), memory, str(scratch))
        self._check = check

    def scopes(self, account: str) -> list[RemovalScope]:
        """Everything that may hold rows of the account, now."""
        table_version = self._opened()
        if table_version is None:
            return []
        if self._table.stream.partition is not Partition.EVENT_DAY:
            return [RemovalScope(None)]
        days = {file.data.day for file in table_version.prune(account, None, None)}
        return [RemovalScope(day) for day in sorted(filter(None, days))]

    @contextmanager
    def found(self, scope: RemovalScope, rule: RemovalRule) -> Iterator[tuple[FoundRows, Path]]:
        """What the rule takes away, and for a changelog the file (Parquet) of records that go whole."""
        table_version = self._table.newest()
        with self._folder() as folder:
            found = NOTHING if table_version is None else self._search(table_version, scope, rule, folder)
            yield found, folder / RECORDS

    def remove(
        self, scope: RemovalScope, rule: RemovalRule, journal: RemovalJournal, announce: Announce = lambda *_: None
    ) -> int:
        """Remove what the rule names in a scope; returns the number of rows. Raises CommitConflict.

        `announce` is called before each commit with what was found.
        """
        with self._folder() as folder:
            rewritten: _Written = {}

            def prepare(view: TableVersion) -> _Prepared:
                found = self._search(view, scope, rule, folder)
                announce(found, folder / RECORDS)
                return self._named(view, scope, rule, found, rewritten, folder / ROWS)

            return self._until_committed(journal, prepare)

    def remove_account(self, scope: RemovalScope, account: str, journal: RemovalJournal) -> int:
        """Remove all rows of an account in a scope; returns how many. Raises CommitConflict."""
        rewritten: _Written = {}
        return self._until_committed(journal, lambda view: self._owned(view, scope, account, rewritten))

    def settle(self, journal: RemovalJournal) -> None:
        """Tell the journal which of its steps was done."""
        table_version = self._opened()
        journal.settle(self._table.name, -1 if table_version is None else table_version.committed(journal.app_id))

    def _until_committed(self, journal: RemovalJournal, prepare: Callable[[TableVersion], _Prepared]) -> int:
        for attempt in range(_TRIES):
            self.settle(journal)
            table_version = self._opened()
            if table_version is None:
                return 0
            try:
                return self._commit(table_version, prepare(table_version), journal)
            except CommitConflict:
                if attempt == _TRIES - 1:
                    raise
                _log.info("a removal starts over: the table was rewritten meanwhile", stream=self._table.name)
        return 0

    def _named(  # noqa: PLR0917 (what one attempt needs)
        self,
        view: TableVersion,
        scope: RemovalScope,
        rule: RemovalRule,
        found: FoundRows,
        rewritten: _Written,
        doomed: Path,
    ) -> _Prepared:
        """Files that an earlier attempt wrote are used again if the same rows go from them."""
        files = [file for file in scope.files(view, rule.account) if file.name in found.by_file]
        for file in files:
            digest = found.by_file[file.name].digest
            if rewritten.get(file.name, (None,))[0] != digest:
                rewritten[file.name] = digest, self._run(self._removal(view, file, doomed=str(doomed)))
        new = {file.name: rewritten[file.name][1] for file in files}
        return _Prepared(rule.account, scope, found.named, found.doomed, files, new)

    def _owned(self, view: TableVersion, scope: RemovalScope, account: str, rewritten: _Written) -> _Prepared:
        """Files with this account's rows alone are not read."""
        gone: list[LiveFile] = []
        rows = 0
        for file in scope.files(view, account):
            if file.name not in rewritten:
                alone = file.first_account == file.last_account == account
                rest = Remainder(0) if alone else self._run(self._removal(view, file, account=account))
                rewritten[file.name] = 0, rest
            lost = file.data.rows - rewritten[file.name][1].rows
            rows += lost
            gone += [file] if lost else []
        return _Prepared(account, scope, rows, rows, gone, {file.name: rewritten[file.name][1] for file in gone})

    def _run(self, job: FileRemoval) -> Remainder:
        self._check()
        return self._runner.run(written_without, job)

    def _commit(self, view: TableVersion, prepared: _Prepared, journal: RemovalJournal) -> int:
        """The step's number goes with the commit; nothing is committed where nothing goes. Returns the number of rows."""
        files = prepared.files
        if not files:
            return 0
        now_ms = self._table.clock.now_us() // 1000
        new = [each.file for each in prepared.written.values() if each.file is not None]
        actions: list[AddAction | RemoveAction] = [added(each, now_ms, data_change=True) for each in new]
        actions += [removed(file, now_ms, data_change=True) for file in files]
        handle = self._table.open_version(view.version)
        step = RemovalStep(self._table.name, prepared.scope, prepared.named, prepared.rows, tuple(prepared.written))
        number = journal.prepare(step)
        self._table.faults.reach("lake.erase")
        notes = self._note(files, prepared.account)
        self._table.replace_noted(handle, view, actions, {journal.app_id: number}, notes)
        self._table.faults.reach("lake.erased")
        journal.settle(self._table.name, number)
        _log.info("rows removed", stream=self._table.name, day=step.scope.day, rows=step.rows, files=len(files))
        return prepared.rows

    def _note(self, files: Iterable[LiveFile], account: str) -> dict[str, str]:
        days: dict[str, list[str]] = defaultdict(list)
        for file in files:
            if self._table.stream.rollups and file.data.day is not None and account not in days[file.data.day]:
                days[file.data.day].append(account)
        return changed_note(days) if days else {}

    def _search(self, table_version: TableVersion, scope: RemovalScope, rule: RemovalRule, folder: Path) -> FoundRows:
        files = scope.files(table_version, rule.account)
        job = RemovalSearch(
            stream=self._table.stream.name,
            place=self._place,
            files=tuple(file.name for file in files),
            rule=rule,
            rows=str(folder / ROWS),
            records=str(folder / RECORDS),
            older=_older(files),
        )
        return self._runner.run(search, job)

    def _removal(self, table_version: TableVersion, file: LiveFile, **how: Any) -> FileRemoval:
        return FileRemoval(
            stream=self._table.stream.name,
            place=self._place,
            name=file.name,
            day=file.data.day,
            compacted=file.compacted,
            rows=file.data.rows,
            schema=table_version.schemas.newest,
            older=_older([file]),
            **how,
        )

    def _opened(self) -> TableVersion | None:
        """The newest version of a table that follows its declaration, as what is written does."""
        if not self._table.exists():
            return None
        self._table.open()
        return self._table.newest()

    @contextmanager
    def _folder(self) -> Iterator[Path]:
        self._scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._scratch, prefix="airtally-removal-") as folder:
            yield Path(folder)


def _older(files: Iterable[LiveFile]) -> dict[str, frozenset[str]]:
    return {file.name: each for file in files if (each := file.data.columns) is not None}
