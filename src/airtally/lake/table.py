"""One stream's Delta table: made on its first append, read as pinned versions, changed by checked commits."""

from __future__ import annotations

import threading
from collections.abc import Sequence

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
from airtally.lake.parts import added, statistics_columns, write_parts
from airtally.lake.place import Place
from airtally.lake.view import LakeView
from airtally.streams.declaration import Partition, Stream

#: All commits that remove files carry this application transaction: of two at once, one fails.
REWRITE = "rewrite"
_TRIES = 5


class Conflicted(Exception):
    """Another process committed what excludes this commit; nothing of it was done."""


class LakeTable:
    """Thread-safe; other processes and machines change the same table meanwhile."""

    def __init__(self, stream: Stream, place: Place, *, clock: Clock, faults: Faults = NO_FAULTS) -> None:
        self.stream = stream
        self.place = place
        self.clock = clock
        self.faults = faults
        self._lock = threading.Lock()
        self._view: LakeView | None = None

    @property
    def url(self) -> str:
        return self.place.url

    def exists(self) -> bool:
        return self.view() is not None

    def view(self) -> LakeView | None:
        """The newest version; None while there is no table."""
        view = self._view
        if view is not None and not self.place.moved_on(view.version, view.mark):
            return view
        with self._lock:
            view = self._view
            if view is None or self.place.moved_on(view.version, view.mark):
                self._view = view = self._load()
            return view

    def open(self) -> DeltaTable:
        """A fresh handle for one append or rewrite; the table is made where there is none."""
        for _ in range(_TRIES):
            try:
                return self._open()
            except TableNotFoundError:
                self._create()
        return self._open()

    def open_version(self, version: int) -> DeltaTable:
        """A handle pinned to a version, for one rewrite of its files."""
        return DeltaTable(self.url, version=version, storage_options=self.place.options or None)

    def committed(self, app_id: str) -> int | None:
        """The application's transaction version, None where it never committed."""
        view = self.view()
        found = -1 if view is None else view.committed(app_id)
        return None if found < 0 else found

    def append(self, handle: DeltaTable, rows: pa.Table, app_id: str, version: int) -> None:
        """Add `rows` (`stream.stored_schema`) on the handle whose transaction version was looked at.

        Durable when it returns. Raises Conflicted where the application committed since. After any other
        error nobody knows whether it was done: open a new handle and look.
        """
        self.faults.reach("lake.flush")
        written = write_parts(self.place, self.stream, rows)
        now_ms = self.clock.now_us() // 1000
        try:
            self.commit(handle, [added(each, now_ms, data_change=True) for each in written], app_id, version)
        except Conflicted:
            for each in written:
                self.place.delete(each.name)
            raise

    def commit(
        self, handle: DeltaTable, actions: Sequence[AddAction | RemoveAction], app_id: str, version: int
    ) -> None:
        """One Delta commit on a pinned handle. Raises Conflicted when it lost against another."""
        try:
            handle.create_write_transaction(
                list(actions),
                "append",
                handle.schema(),
                self.partition_by,
                commit_properties=CommitProperties(app_transactions=[Transaction(app_id, version)]),
                post_commithook_properties=PostCommitHookProperties(create_checkpoint=True, cleanup_expired_logs=False),
            )
        except CommitFailedError as error:
            if "oncurrent" not in str(error):
                raise
            metrics.LAKE_CONFLICTS.labels(self.stream.name, REWRITE if app_id == REWRITE else "append").inc()
            raise Conflicted(str(error)) from error
        view = self._fresh_view()
        self.place.sync_log(view.version)

    @property
    def partition_by(self) -> list[str]:
        return [] if self.stream.partition is Partition.NONE else ["day"]

    def _fresh_view(self) -> LakeView:
        with self._lock:
            self._view = view = self._load()
        if view is None:
            raise TableNotFoundError(f"{self.url} is gone")
        return view

    def _load(self) -> LakeView | None:
        for attempt in range(_TRIES):
            mark = self.place.log_mark()
            try:
                return LakeView(self.stream, self.place, self._open(), mark)
            except TableNotFoundError:
                return None
            except DeltaError:
                if attempt == _TRIES - 1:
                    raise
        return None

    def _open(self) -> DeltaTable:
        return DeltaTable(self.url, storage_options=self.place.options or None)

    def _create(self) -> None:
        try:
            DeltaTable.create(
                self.url,
                self.stream.stored_schema,
                mode="ignore",
                partition_by=self.partition_by or None,
                storage_options=self.place.options or None,
                configuration={
                    "delta.logRetentionDuration": "interval 1 hours",
                    "delta.deletedFileRetentionDuration": "interval 24 hours",
                    "delta.checkpointInterval": "100",
                    "delta.dataSkippingStatsColumns": ",".join(statistics_columns(self.stream)),
                },
            )
        except DeltaError:
            self._open()  # another process was first; anything else is raised here
