"""The maps of a home: found or made when a question needs them, within a limit, and removed with their segments."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import structlog

from airtally.kit import metrics
from airtally.kit.cache import Cache
from airtally.kit.faults import NO_FAULTS, Faults
from airtally.kit.time import HOUR_US, MINUTE_US
from airtally.rollups.maps.columns import SegmentColumns
from airtally.rollups.maps.file import MapUnusable
from airtally.rollups.maps.folder import MapFolder
from airtally.rollups.maps.narrow import NotMappable, narrow_columns
from airtally.rollups.rollups import Rollups
from airtally.storage.lake.snapshot import DataFile
from airtally.storage.lake.table_storage import ROLLUPS, BucketStorage
from airtally.storage.lake.upkeep import Due
from airtally.streams.rollup import Rollup

#: A segment of at most so many rows is mapped while its question waits, which takes as long as the engine's answer.
_AT_ONCE_ROWS = 65_536
#: What the maps that are open may take up beside their files, and about how much that is for a map and for each text.
_OPEN_BYTES, _MAP_BYTES, _TEXT_BYTES = 64 << 20, 8192, 200
#: Segments that wait for their map.
_MOST_WANTED = 1000
_IDLE_SECONDS = 1.0

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _OpenMap:
    """`columns` is None for a segment that cannot be mapped."""

    columns: SegmentColumns | None

    @property
    def size(self) -> int:
        """Bytes that it takes up in memory, at most; what is mapped does not count."""
        texts = () if self.columns is None else self.columns.dimensions.values()
        return _MAP_BYTES + _TEXT_BYTES * sum(len(each.values) for each in texts)


@dataclass(frozen=True, slots=True)
class _WantedMap:
    rollup: Rollup
    file: DataFile
    account: str


class SegmentMaps:
    """The maps in a folder, whose files take up at most `most_bytes`; with 0 there are none.

    Any number of processes may share the folder: a map is published by its rename, and two of one segment are equal.
    Thread-safe: one lock is held while a map is made, another for what is wanted.
    """

    def __init__(
        self,
        folder: Path,
        most_bytes: int,
        rollups: Rollups,
        *,
        at_once_rows: int = _AT_ONCE_ROWS,
        faults: Faults = NO_FAULTS,
    ) -> None:
        self._most_bytes, self._rollups = most_bytes, rollups
        self._folder = MapFolder(folder, most_bytes)
        self._at_once_rows = at_once_rows
        self._clock, self._faults = rollups.lake.clock, faults
        self._due = Due()
        rollups.removed = self.remove
        self._open: Cache[str, _OpenMap] = Cache(_OPEN_BYTES, size_of=lambda found: found.size)
        self._making = threading.Lock()
        self._lock = threading.Lock()
        self._wanted: dict[str, _WantedMap] = {}

    @property
    def enabled(self) -> bool:
        return self._most_bytes > 0

    def columns(self, rollup: Rollup, file: DataFile, account: str) -> SegmentColumns | None:
        """The columns of a segment file that holds segments of `account`; None while there is no map of it."""
        name = _map_name(file)
        found = self._open.get(name)
        if found is None:
            found = self._opened(name) or self._made_at_once(name, _WantedMap(rollup, file, account))
        return None if found is None else found.columns

    def step(self) -> float:
        """Make one map that a question looked for, or look for those of no segment, once an hour.

        Returns the seconds until the next step.
        """
        with self._lock:
            name = next(iter(self._wanted), None)
            wanted = None if name is None else self._wanted.pop(name)
        if name is not None and wanted is not None:
            with self._making:
                if self._opened(name) is None:
                    self._make(name, wanted)
            return 0.0
        now_us = self._clock.now_us()
        if self._due("close", now_us, MINUTE_US):
            self._close_removed()
        if self._due("sweep", now_us, HOUR_US):
            self.sweep()
        return _IDLE_SECONDS

    def remove(self, files: Iterable[DataFile]) -> None:
        """Remove the maps of segments that were replaced or removed."""
        for name in map(_map_name, files):
            self._open.pop(name)
            self._folder.remove(name)

    def sweep(self) -> int:
        """Remove the maps of segments that are gone, which a death or another process may leave; returns how many."""
        held = self._folder.names()  # first: a segment whose map is among them was committed before what follows
        kept = set()
        for table in self._rollups.tables():
            view = table.newest()
            kept |= set() if view is None else {f"{table.name}/{each}" for each in view.names}
        gone = held - kept
        for name in gone:
            self._open.pop(name)
            self._folder.remove(name)
        self._folder.remove_drafts()
        return len(gone)

    def _close_removed(self) -> None:
        """Give back the disk space of maps whose files another process has removed."""
        with self._open.locked() as entries:
            for name in [each for each, found in entries.items() if found.columns is not None]:
                if not self._folder.has(name):
                    del entries[name]

    def _opened(self, name: str) -> _OpenMap | None:
        """The map that is there; None where there is none, or none that can be used."""
        found = self._open.get(name)
        if found is not None:
            return found
        try:
            found = _OpenMap(self._folder.read(name))
        except FileNotFoundError:
            return None
        except MapUnusable as error:
            _log.warning("a map is made anew", map=name, reason=str(error))
            return None
        self._open.put(name, found)
        return found

    def _made_at_once(self, name: str, wanted: _WantedMap) -> _OpenMap | None:
        small = wanted.file.rows <= self._at_once_rows and not wanted.file.on_bucket
        if not small or not self._making.acquire(blocking=False):
            with self._lock:
                if len(self._wanted) < _MOST_WANTED:
                    self._wanted.setdefault(name, wanted)
            return None
        try:
            return self._opened(name) or self._make(name, wanted)
        finally:
            self._making.release()

    # What follows expects the lock for making to be held.

    def _make(self, name: str, wanted: _WantedMap) -> _OpenMap | None:
        """None where there is no room for it, or its segment is gone; the engine answers then."""
        try:
            columns = self._narrow_columns(name, wanted)
            self._faults.reach("maps.write")
            self._folder.write(name, columns)
        except NotMappable:
            self._open.put(name, _OpenMap(None))
            return None
        except FileNotFoundError:
            return None
        except OSError as error:
            _log.warning("a segment was not mapped", map=name, reason=str(error))
            return None
        metrics.MAPS_MADE.labels(wanted.rollup.name).inc()
        return self._opened(name)

    def _narrow_columns(self, name: str, wanted: _WantedMap) -> SegmentColumns:
        storage = self._rollups.table(wanted.rollup).storage
        if not isinstance(storage, BucketStorage):
            return narrow_columns(Path(wanted.file.path), wanted.rollup, wanted.account)
        fetched = storage.fetch(name.partition("/")[2])
        try:
            return narrow_columns(fetched, wanted.rollup, wanted.account)
        finally:
            fetched.unlink(missing_ok=True)


def _map_name(file: DataFile) -> str:
    """The folder of its rollup and its name in there."""
    return file.path.rpartition(f"/{ROLLUPS}/")[2]
