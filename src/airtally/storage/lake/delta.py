"""A Delta table: made at its first use, read as pinned versions, changed by commits that are checked for conflicts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.transaction import (
    AddAction,
    CommitProperties,
    PostCommitHookProperties,
    RemoveAction,
    Transaction,
)

from airtally.kit import metrics
from airtally.kit.clock import Clock
from airtally.kit.faults import NO_FAULTS, Faults
from airtally.storage.lake.damage import TableDamaged, fault_of
from airtally.storage.lake.schema import STATISTICS
from airtally.storage.lake.table_storage import LOG, TableStorage
from airtally.storage.marks import NO_MARKS, Marks

#: Every commit that removes files carries this application transaction, so that of two at once one fails.
REWRITE = "rewrite"
_TRIES = 5
#: Parts of delta-rs's messages on a commit that conflicts with another: of rows, or of the table's columns.
_LOST = ("oncurrent", "etadata changed")

#: A creation that loses to another process would otherwise be committed again, as a change of metadata in version 1.
_CREATED_ONCE = CommitProperties(max_commit_retries=0)
_AFTER_COMMIT = PostCommitHookProperties(create_checkpoint=True, cleanup_expired_logs=False)


class CommitConflict(Exception):
    """Another process has committed what conflicts with this commit; nothing of this one was done."""


class AnyVersion(Protocol):
    """One version of a table; `log_state` is `TableStorage.log_state` from before it was opened."""

    version: int
    log_state: float

    @property
    def names(self) -> Sequence[str]:
        """Of the data files, as the log has them."""
        ...

    def committed(self, app_id: str) -> int: ...


V = TypeVar("V", bound=AnyVersion)


@dataclass(frozen=True, slots=True)
class TableLayout:
    """How a table is made: `statistics` names the columns that Delta statistics are kept of."""

    name: str
    schema: pa.Schema
    partition_by: tuple[str, ...]
    statistics: tuple[str, ...]


class DeltaFiles(Generic[V]):
    """One Delta table, which other processes and hosts change at the same time.

    Thread-safe: a version is immutable, the newest one is replaced under a lock, and each commit has a handle of its
    own. What opens a table raises TableDamaged where its log cannot be trusted.
    """

    def __init__(
        self,
        layout: TableLayout,
        storage: TableStorage,
        version_of: Callable[[DeltaTable, float], V],
        *,
        clock: Clock,
        faults: Faults = NO_FAULTS,
        marks: Marks = NO_MARKS,
    ) -> None:
        self.layout = layout
        self.storage = storage
        self.clock = clock
        self.faults = faults
        self.marks = marks
        self._version_of = version_of
        self._lock = threading.Lock()
        self._newest: V | None = None
        self._seen: tuple[Hashable, V | None] = (None, None)

    @property
    def name(self) -> str:
        return self.layout.name

    @property
    def url(self) -> str:
        return self.storage.url

    def exists(self) -> bool:
        return self.newest() is not None

    def newest(self, since: float = 0.0) -> V | None:
        """The newest version, with all commits made before `since` (monotonic); None while there is no table."""
        token, (seen, table_version) = self.marks.token(), self._seen
        if token is not None and token == seen and not since:
            return table_version
        table_version = self._looked_up(since)
        self._seen = (token, table_version) if self.marks.settled(token) else (None, None)
        return table_version

    def _looked_up(self, since: float) -> V | None:
        table_version = self._newest
        if table_version is None and self.storage.lacks_folder():
            return None  # as those of a rollup's earlier versions are in a new home, which every question asks for
        if table_version is not None and not self._outdated(table_version, since):
            return table_version
        with self._lock:
            table_version = self._newest
            if table_version is None or self._outdated(table_version, since):
                self._newest = table_version = self._load()
            return table_version

    def _outdated(self, table_version: V, since: float) -> bool:
        return self.storage.older(table_version.log_state, since) or self.storage.moved_on(
            table_version.version, table_version.log_state
        )

    def open(self) -> DeltaTable:
        """A new handle for one append or rewrite; the table is made where there is none."""
        for _ in range(_TRIES):
            try:
                return self._open()
            except TableNotFoundError as error:
                self._check_log(error)  # a new log would be blind to the data that is there, and vacuum delete it
                with self.marks.committing():
                    self._create()
            except DeltaError as error:
                self._check_log(error)
                raise
        return self._open()

    def open_version(self, version: int) -> DeltaTable:
        """A handle pinned to a version, for one rewrite of its files."""
        return DeltaTable(self.url, version=version, storage_options=self.storage.options or None)

    def committed(self, app_id: str) -> int | None:
        """The application's transaction version, None where it never committed."""
        table_version = self.newest()
        found = -1 if table_version is None else table_version.committed(app_id)
        return None if found < 0 else found

    def commit(
        self,
        handle: DeltaTable,
        actions: Sequence[AddAction | RemoveAction],
        transactions: Mapping[str, int],
        notes: Mapping[str, str] | None = None,
    ) -> None:
        """One Delta commit on a pinned handle, with application transactions. Raises CommitConflict when it lost.

        `notes` are kept with the commit in the log.
        """
        properties = CommitProperties(
            custom_metadata=dict(notes or {}),
            app_transactions=[Transaction(app_id, version) for app_id, version in transactions.items()],
        )
        try:
            with self.marks.committing():
                handle.create_write_transaction(
                    list(actions),
                    "append",
                    handle.schema(),
                    list(self.layout.partition_by),
                    commit_properties=properties,
                    post_commithook_properties=_AFTER_COMMIT,
                )
        except CommitFailedError as error:
            if not any(word in str(error) for word in _LOST):
                raise
            metrics.LAKE_CONFLICTS.labels(self.name, REWRITE if REWRITE in transactions else "append").inc()
            raise CommitConflict(str(error)) from error
        self.storage.sync_log(self._reload().version)

    def replace(
        self, handle: DeltaTable, table_version: V, actions: Sequence[AddAction | RemoveAction], **more: int
    ) -> None:
        """Commit `actions` that remove files of a version. Raises CommitConflict where another has removed some since."""
        self.replace_noted(handle, table_version, actions, more, {})

    def replace_noted(
        self,
        handle: DeltaTable,
        table_version: V,
        actions: Sequence[AddAction | RemoveAction],
        transactions: Mapping[str, int],
        notes: Mapping[str, str],
    ) -> None:
        """As `replace`, with notes that are kept in the log."""
        rewrite = {REWRITE: max(table_version.committed(REWRITE), 0) + 1}
        self.commit(handle, actions, rewrite | dict(transactions), notes)

    def _reload(self) -> V:
        with self._lock:
            self._newest = table_version = self._load()
        if table_version is None:
            raise TableNotFoundError(f"{self.url} is gone")
        return table_version

    def _load(self) -> V | None:
        for attempt in range(_TRIES):
            log_state = self.storage.log_state()
            try:
                return self._version_of(self._open(), log_state)
            except TableNotFoundError as error:
                self._check_log(error)
                return None
            except DeltaError as error:
                if attempt == _TRIES - 1:
                    self._check_log(error)
                    raise
        return None

    def _check_log(self, error: Exception) -> None:
        """Raises TableDamaged where an error of Delta's comes from a damaged file of the log."""
        fault = fault_of(self.storage)
        if fault is not None:
            raise TableDamaged(self.name, fault) from error

    def _check_newest(self, version: int) -> None:
        """Raises TableDamaged for an empty commit, which delta-rs reads as one that brought nothing. Local tables only."""
        name = f"{version:020d}.json"
        if self.storage.local and self.storage.read_log(name) == b"":
            raise TableDamaged(self.name, f"{LOG}/{name} is empty")

    def _open(self) -> DeltaTable:
        handle = DeltaTable(self.url, storage_options=self.storage.options or None)
        self._check_newest(handle.version())
        return handle

    def _create(self) -> None:
        try:
            DeltaTable.create(
                self.url,
                self.layout.schema,
                mode="ignore",
                partition_by=list(self.layout.partition_by) or None,
                storage_options=self.storage.options or None,
                configuration={
                    "delta.logRetentionDuration": "interval 1 hours",
                    "delta.deletedFileRetentionDuration": "interval 24 hours",
                    "delta.checkpointInterval": "100",
                    STATISTICS: ",".join(self.layout.statistics),
                },
                commit_properties=_CREATED_ONCE,
            )
        except DeltaError:
            self._open()  # another process was first; anything else is raised here
