"""Which days of which accounts got rows, told by the lake's own log."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
import structlog
from sqlalchemy import Connection, delete, select

from airtally.database.store import MetadataStore
from airtally.database.tables import rollup_changes, rollup_tails
from airtally.engine.bucket import accounts_in
from airtally.storage.lake.table import CHANGED, LakeTable
from airtally.storage.lake.table_version import TableVersion

_log = structlog.get_logger()

_Change = tuple[str, str, int]


class Changes:
    """Of one stream: the lake version that last brought rows of an account's day. Thread-safe.

    Each process tails the log for itself, from where `keep` last left its reading in the metadata store.
    Commits that bring no rows (compaction, expiry) change nothing.
    """

    def __init__(self, store: MetadataStore, table: LakeTable) -> None:
        self._store = store
        self._table = table
        self._lock = threading.Lock()
        self._versions: dict[str, dict[str, int]] = defaultdict(dict)
        self._through: int | None = None
        self._unkept: dict[tuple[str, str], int] = {}
        self._kept = -1

    def of(self, account: str, view: TableVersion) -> Mapping[str, int]:
        """By day, of every change up to the view's version, later ones perhaps too."""
        self.read(view)
        return dict(self._versions.get(account, {}))

    def all(self, view: TableVersion) -> dict[str, dict[str, int]]:
        """By account, then by day."""
        self.read(view)
        return {account: dict(days) for account, days in list(self._versions.items())}

    def read(self, view: TableVersion) -> None:
        """The commits up to the view's version."""
        if self._through == view.version:
            return
        with self._lock:
            if self._through is None:
                self._load()
            if (self._through or 0) > view.version and self._is_back(view):
                self._start_over(view)
            if not self._tail(view):
                self._load()  # the log was cleaned beyond our reading, but not beyond what was kept
                if not self._tail(view):
                    _log.warning("commits of the lake are gone: every day counts as changed", stream=self._table.name)
                    self._note(_everything(view))
                    self._through = view.version

    def keep(self, view: TableVersion) -> None:
        """Note the reading in the metadata store; then the commits read may be cleaned up."""
        self.read(view)
        with self._lock:
            assert self._through is not None  # noqa: S101 (just read)
            if self._kept == self._through:
                return
            with self._store.begin() as connection:
                self._write(connection, self._unkept, self._through)
            self._unkept, self._kept = {}, self._through

    def forget(self, before: str) -> None:
        """Drop what is known of the days before (ISO): nothing is made of them any more."""
        old = rollup_changes.c.stream == self._table.name, rollup_changes.c.day < before
        with self._lock:
            with self._store.begin() as connection:
                connection.execute(delete(rollup_changes).where(*old))
            self._unkept = {key: version for key, version in self._unkept.items() if key[1] >= before}
            for account, days in list(self._versions.items()):
                self._versions[account] = {day: version for day, version in days.items() if day >= before}

    def _is_back(self, view: TableVersion) -> bool:
        """Whether the lake itself, and not just this view of it, is older than what was read: it was restored."""
        return (self._through or 0) > max(self._table.open().version(), view.version)

    def _start_over(self, view: TableVersion) -> None:
        _log.warning("the lake is older than what was read of it: every day counts as changed", stream=self._table.name)
        with self._store.begin() as connection:
            for table in (rollup_changes, rollup_tails):
                connection.execute(delete(table).where(table.c.stream == self._table.name))
        self._versions.clear()
        self._unkept.clear()
        self._note(_everything(view))
        self._through, self._kept = view.version, -1

    def _load(self) -> None:
        changed, tails = rollup_changes.c, rollup_tails.c
        with self._store.read() as connection:
            tail = select(tails.version).where(tails.stream == self._table.name)
            through = connection.execute(tail).scalar_one_or_none()
            rows = select(changed.account, changed.day, changed.version).where(changed.stream == self._table.name)
            for account, day, version in connection.execute(rows):
                self._set(account, day, version)
        self._through = max(-1 if through is None else through, -1 if self._through is None else self._through)

    def _tail(self, view: TableVersion) -> bool:
        """False where a commit is missing."""
        assert self._through is not None  # noqa: S101 (loaded before)
        while self._through < view.version:
            commit = self._table.storage.read_log(f"{self._through + 1:020d}.json")
            if commit is None:
                return False
            self._note(_changes_of(commit, self._through + 1, view))
            self._through += 1
        return True

    def _note(self, found: Iterable[_Change]) -> None:
        for account, day, version in found:
            self._set(account, day, version)
            self._unkept[account, day] = version

    def _set(self, account: str, day: str, version: int) -> None:
        days = self._versions[account]
        days[day] = max(version, days.get(day, -1))

    def _write(self, connection: Connection, unkept: Mapping[tuple[str, str], int], through: int) -> None:
        upsert = self._store.upserts.insert
        name = self._table.name
        for (account, day), version in sorted(unkept.items()):
            row = {"stream": name, "account": account, "day": day, "version": version}
            added = upsert(rollup_changes).values(row)
            connection.execute(_newer(added, rollup_changes.c.version, ["stream", "account", "day"]))
        tail = upsert(rollup_tails).values(stream=name, version=through)
        connection.execute(_newer(tail, rollup_tails.c.version, ["stream"]))


def _newer(added: Any, version: Any, key: list[str]) -> Any:
    """An upsert that never goes back to an older version."""
    return added.on_conflict_do_update(
        index_elements=key, set_={"version": added.excluded.version}, where=added.excluded.version > version
    )


def _changes_of(commit: bytes, version: int, view: TableVersion) -> Iterator[_Change]:
    actions = [msgspec.json.decode(line) for line in commit.splitlines() if line.strip()]
    noted = next((action["commitInfo"].get(CHANGED) for action in actions if "commitInfo" in action), None)
    if noted is not None:
        for day, accounts in msgspec.json.decode(noted, type=dict[str, list[str]]).items():
            yield from ((account, day, version) for account in accounts)
        return
    brought = (action["add"] for action in actions if "add" in action)
    days = {add["partitionValues"]["day"] for add in brought if add["dataChange"]}
    if days:  # a commit that is not of our making
        yield from ((account, day, version) for account, day, _ in _everything(view) if day in days)


def _everything(view: TableVersion) -> Iterator[_Change]:
    for file in view.files:
        if file.data.day is not None:
            single = file.first_account is not None and file.first_account == file.last_account
            accounts = [str(file.first_account)] if single else accounts_in(file.data)
            yield from ((account, file.data.day, view.version) for account in accounts)
