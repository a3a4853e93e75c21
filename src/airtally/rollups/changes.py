"""Which days of which accounts got rows, read from the Delta log of the stream's table."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
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


class ChangedDays:
    """The lake version that last brought rows, by account and day (ISO), for one stream.

    Thread-safe: one lock guards all state, also while the log is read, so that no caller sees half a commit. Each
    process reads the log for itself, from where `keep` last saved its position in the metadata store. Commits without
    new rows (compaction, expiry) change nothing. Days that retention removed are dropped by `forget`.
    """

    def __init__(
        self, store: MetadataStore, table: LakeTable, deleted: Callable[[], Collection[str]] = frozenset
    ) -> None:
        """`deleted` gives the slugs of deleted accounts, of which nothing is made any more."""
        self._store = store
        self._table = table
        self._deleted = deleted
        self._lock = threading.Lock()
        self._versions: dict[str, dict[str, int]] = {}
        self._through: int | None = None
        self._unkept: dict[tuple[str, str], int] = {}
        self._kept = -1

    def of_account(self, account: str, view: TableVersion) -> Mapping[str, int]:
        """The account's changes by day: all up to the view's version, and possibly later ones."""
        with self._lock:
            self._read_to(view)
            return dict(self._versions.get(account, {}))

    def by_account(self, view: TableVersion) -> dict[str, dict[str, int]]:
        """The same for every account that is not deleted."""
        deleted = self._deleted()
        with self._lock:
            self._read_to(view)
            return {account: dict(days) for account, days in self._versions.items() if account not in deleted}

    def keep(self, view: TableVersion) -> None:
        """Save what was read in the metadata store; after that the commits may be cleaned up."""
        with self._lock:
            through = self._read_to(view)
            if self._kept == through:
                return
            with self._store.begin() as connection:
                self._write_unkept(connection, through)
            self._unkept, self._kept = {}, through

    def forget(self, before: str) -> None:
        """Drop the days before a day (ISO): their segments are final."""
        old = rollup_changes.c.stream == self._table.name, rollup_changes.c.day < before
        with self._lock:
            with self._store.begin() as connection:
                connection.execute(delete(rollup_changes).where(*old))
            self._unkept = {key: version for key, version in self._unkept.items() if key[1] >= before}
            left = {
                account: {day: version for day, version in days.items() if day >= before}
                for account, days in self._versions.items()
            }
            self._versions = {account: days for account, days in left.items() if days}

    # What follows expects the lock to be held.

    def _read_to(self, view: TableVersion) -> int:
        """Read the commits up to the view's version; returns the version that is read."""
        if self._through == view.version:
            return self._through
        if self._through is None:
            self._load()
        if (self._through or 0) > view.version and self._is_restored(view):
            self._start_over(view)
        if not self._read_commits(view):
            self._load()  # commits after our position were cleaned up, but another process had saved them by then
            if not self._read_commits(view):
                _log.warning("commits of the lake are gone: every day counts as changed", stream=self._table.name)
                self._note(_everything(view))
                self._through = view.version
        assert self._through is not None  # noqa: S101 (loaded above)
        return self._through

    def _is_restored(self, view: TableVersion) -> bool:
        """Whether the lake itself, and not just this view of it, is older than what was read of it."""
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
                self._set_version(account, day, version)
        self._through = max(-1 if through is None else through, -1 if self._through is None else self._through)

    def _read_commits(self, view: TableVersion) -> bool:
        """False if a commit is missing."""
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
            self._set_version(account, day, version)
            self._unkept[account, day] = version

    def _set_version(self, account: str, day: str, version: int) -> None:
        days = self._versions.setdefault(account, {})
        days[day] = max(version, days.get(day, -1))

    def _write_unkept(self, connection: Connection, through: int) -> None:
        upsert = self._store.upserts.insert
        name = self._table.name
        rows = [
            {"stream": name, "account": account, "day": day, "version": version}
            for (account, day), version in sorted(self._unkept.items())
        ]
        if rows:
            added = upsert(rollup_changes)
            connection.execute(_newer(added, rollup_changes.c.version, ["stream", "account", "day"]), rows)
        tail = upsert(rollup_tails).values(stream=name, version=through)
        connection.execute(_newer(tail, rollup_tails.c.version, ["stream"]))


def _newer(added: Any, version: Any, key: list[str]) -> Any:
    """An upsert that never replaces a version by an older one."""
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
    if days:  # written by a program that does not note what it changed
        yield from ((account, day, version) for account, day, _ in _everything(view) if day in days)


def _everything(view: TableVersion) -> Iterator[_Change]:
    """Each account's days that the view holds rows of, as changed by the view's version."""
    for file in view.files:
        if file.data.day is not None:
            single = file.first_account is not None and file.first_account == file.last_account
            accounts = [str(file.first_account)] if single else accounts_in(file.data)
            yield from ((account, file.data.day, view.version) for account in accounts)
