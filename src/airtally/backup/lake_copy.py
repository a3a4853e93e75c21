"""A copy of the lake: the files of one version of each table, with the log up to it.

Order matters. Rollups are pinned before the rows that they are made of, so that none is newer than its rows; and both
anew where rows left by retention meanwhile, as their rollups may not have been finished at the first look. Logs are
copied at once, data files after them: of what a version names nothing is deleted for a day, but by an erasure.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from airtally.backup.copying import Copier
from airtally.backup.manifest import BackedUpFile
from airtally.kit.errors import Unavailable
from airtally.storage.lake.damage import TableDamaged, fault_of, missing_words
from airtally.storage.lake.table import EXPIRED
from airtally.storage.lake.table_storage import LOG, ROLLUPS, LocalStorage

_TRIES = 20
_OF_VERSION = re.compile(r"([0-9]{20})\.(?:json|checkpoint\..*parquet)")


@dataclass(frozen=True, slots=True)
class PinnedTable:
    """One version of a table: `name` is its place below the lake, `files` are names as the table's folder has them."""

    name: str
    folder: Path
    version: int
    files: tuple[str, ...]


class VersionGone(Exception):
    """Something of a pinned version is not there any more, such as what an erasure has deleted."""


class LakeCopy:
    """Copies the tables below `lake` to `target`; what an interrupted copy left there is used.

    To be used by one thread. `run` raises TableDamaged and Unavailable where the lake itself is damaged, and OSError.
    """

    def __init__(self, lake: Path, target: Path, copier: Copier) -> None:
        self._lake = lake
        self._target = target
        self._copier = copier
        self._copied: dict[str, BackedUpFile] = {}

    def run(self) -> list[BackedUpFile]:
        """The files of one version of each table. Where one vanishes meanwhile, newer versions are pinned."""
        for _ in range(_TRIES):
            tables = self._pinned()
            try:
                logs = {table.name: self._copy_log(table) for table in tables}
                for table in tables:
                    self._copy_data(table)
            except VersionGone:
                continue
            return [self._copied[_place(table, name)] for table in tables for name in (*logs[table.name], *table.files)]
        raise Unavailable("The lake changes faster than it is copied", hint="Try again when fewer rows are erased")

    def _pinned(self) -> list[PinnedTable]:
        """The newest version of each table, rollups first, with no rows expired in between."""
        lake = self._lake
        for _ in range(_TRIES):
            streams = _tables_in(lake)
            expired = [_expired(lake, each) for each in streams]
            rollups = [_newest(lake, f"{ROLLUPS}/{each}") for each in _tables_in(lake / ROLLUPS)]
            self._copier.faults.reach("backup.pin")
            rows = [_newest(lake, each) for each in streams]
            if expired == [_expired(lake, each) for each in streams]:
                return rollups + rows
        raise Unavailable("Rows keep leaving the lake by retention", hint="Try again later")

    def _copy_log(self, table: PinnedTable) -> list[str]:
        """Names of the log's files, of which the copy is known to open as the pinned version."""
        names = _log_up_to(table)
        for name in names:
            with suppress(FileNotFoundError):  # cleaned up: below it shows whether it was needed
                self._copy_one(table, name)
        copy = self._target / table.name
        names = [name for name in names if _place(table, name) in self._copied]
        for stray in set(_log_up_to(replace(table, folder=copy))) - set(names):
            (copy / stray).unlink()
        if fault_of(LocalStorage(str(copy))) is not None or _newest(self._target, table.name).version != table.version:
            _check_log(table.folder, table.name)
            raise VersionGone
        return names

    def _copy_data(self, table: PinnedTable) -> None:
        for name in table.files:
            try:
                self._copy_one(table, name)
            except FileNotFoundError:
                if name in _newest(self._lake, table.name).files:
                    raise Unavailable(
                        missing_words(table.name, [name]),
                        hint="`airtally lake missing` shows such files: mend the lake first",
                    ) from None
                raise VersionGone from None

    def _copy_one(self, table: PinnedTable, name: str) -> None:
        place = _place(table, name)
        if place not in self._copied:
            size, sha256 = self._copier.copied(table.folder / name, self._target / table.name / name)
            self._copied[place] = BackedUpFile(place, size, sha256)


def _place(table: PinnedTable, name: str) -> str:
    return f"lake/{table.name}/{name}"


def _tables_in(folder: Path) -> list[str]:
    """Names of the tables right below a folder. Raises TableDamaged for one that has lost its log."""
    if not folder.is_dir():
        return []
    places = [each for each in sorted(folder.iterdir()) if each.is_dir() and each.name != ROLLUPS]
    for each in places:
        if not (each / LOG).is_dir():
            _check_log(each, each.name)
    return [each.name for each in places if any((each / LOG).glob("*[0-9].json"))]


def _opened(folder: Path, name: str) -> DeltaTable:
    try:
        return DeltaTable(str(folder))
    except DeltaError as error:
        _check_log(folder, name)
        raise Unavailable(f"The table {name} cannot be opened: {error}") from error


def _expired(lake: Path, name: str) -> int | None:
    return _opened(lake / name, name).transaction_version(EXPIRED)


def _check_log(folder: Path, name: str) -> None:
    """Raises TableDamaged."""
    fault = fault_of(LocalStorage(str(folder)))
    if fault is not None:
        raise TableDamaged(name, fault)


def _newest(lake: Path, name: str) -> PinnedTable:
    handle = _opened(lake / name, name)
    paths = pa.table(handle.get_add_actions(flatten=True)).column("path").to_pylist()
    return PinnedTable(name, lake / name, handle.version(), tuple(sorted(map(unquote, paths))))


def _log_up_to(table: PinnedTable) -> list[str]:
    """Commits and checkpoints, without the hint at the last one, which may be newer: readers look for themselves."""
    names = [each.name for each in LocalStorage(str(table.folder)).log_listing()]
    versions = {name: int(at[1]) for name in names if (at := _OF_VERSION.fullmatch(name))}
    return sorted(f"{LOG}/{name}" for name, version in versions.items() if version <= table.version)
