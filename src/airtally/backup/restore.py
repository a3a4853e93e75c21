"""Restores a backup into an empty home. Until it is finished a mark keeps every program from opening that home.

A restore that was interrupted is gone on with by the same command: files that are whole already are not copied again.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from airtally.backup.copying import Copier, full_in_words, hashed, sync_folders
from airtally.backup.manifest import BackedUpFile, Manifest, listed_files, read_manifest
from airtally.backup.places import data_folders, local_folder, sqlite_file
from airtally.backup.postgres_copy import PLACE as DUMP
from airtally.database import home as homes
from airtally.kit.durable import create_file, sync_path
from airtally.kit.errors import BadRequest, Conflict, StorageFull
from airtally.kit.file_lock import FileLock
from airtally.kit.private import RESTORING
from airtally.settings import Settings

#: What a new disk or an interrupted restore leaves in a folder that is empty otherwise.
_NOT_IN_USE = ("lost+found", ".snapshot", f".{RESTORING}.")


@dataclass(frozen=True, slots=True)
class HomeRestore:
    """A backup, and the settings that name the home it is to become. Neither is opened by other processes meanwhile."""

    source: Path
    settings: Settings
    copier: Copier = field(default_factory=Copier)

    def check(self) -> Manifest:
        """Read every file of the backup. Raises BadRequest for the first that is not as it was written, and NewerHome."""
        manifest = self._manifest()
        count = 0
        for each in listed_files(self.source, manifest):
            count += 1
            if _hashed_if_there(self.source / each.place) != (each.size, each.sha256):
                raise _damaged_backup(each)
        self._check_count(manifest, count)
        return manifest

    def run(self) -> Manifest:
        """Raises BadRequest where something is in the way or the backup is damaged, NewerHome for one of a newer program,
        Conflict where another process restores there, and StorageFull.
        """
        manifest = self._manifest()
        resumed = self._check_targets(manifest)
        self._check_room(manifest)
        if not resumed:
            self._mark(manifest)
        lock = self._held_mark()
        try:
            with full_in_words(self.settings.home, "run the same command again"):
                self._restore_files(manifest)
            lock.path.unlink()
            sync_path(self.settings.home)
        finally:
            lock.release()
        return manifest

    def _restore_files(self, manifest: Manifest) -> None:
        count = 0
        for each in listed_files(self.source, manifest):
            count += 1
            self._restore_file(each)
        self._check_count(manifest, count)
        for folder in data_folders(self.settings):
            if folder.exists():
                sync_folders(folder)

    def _manifest(self) -> Manifest:
        manifest = read_manifest(self.source)
        homes.refuse_newer(manifest.program, manifest.revision, manifest.versions)
        return manifest

    def _check_count(self, manifest: Manifest, count: int) -> None:
        if count != manifest.files:
            raise BadRequest(f"The backup is damaged: {count} files are listed in place of {manifest.files}")

    def _restore_file(self, file: BackedUpFile) -> None:
        source, target = self.source / file.place, self._target(file.place)
        try:
            found = self.copier.copied(source, target)
        except FileNotFoundError:
            raise _damaged_backup(file) from None
        if found != (file.size, file.sha256):
            target.unlink()
            raise _damaged_backup(file)

    def _target(self, place: str) -> Path:
        """Lake, generated files and metadata go where the settings have them. Raises BadRequest where that is no file."""
        part, _, rest = place.partition("/")
        if part == "lake":
            return self._of_folder("lake", self.settings.lake_url) / rest
        if part == "files":
            return self._of_folder("files", self.settings.files_url) / rest
        if place == "metadata.sqlite":
            return sqlite_file(self.settings) or self.settings.home / place
        return self.settings.home.absolute() / place

    def _of_folder(self, part: str, url: str) -> Path:
        folder = local_folder(url)
        if folder is None:
            raise BadRequest(f"The backup has {part} to restore, and the settings have {part} on a bucket, {url}")
        return folder

    def _mark(self, manifest: Manifest) -> None:
        self.settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        marked = {"source": str(self.source.absolute()), "listing_sha256": manifest.listing_sha256}
        if not create_file(self.settings.home / RESTORING, msgspec.json.encode(marked)):
            raise self._taken()

    def _held_mark(self) -> FileLock:
        """The lock of the mark that is there: one that another process has removed meanwhile is of a finished home."""
        lock = FileLock(self.settings.home / RESTORING)
        try:
            if not lock.acquire(create=False):
                raise self._taken()
            if not lock.path.exists():
                lock.release()
                raise self._taken()
        except FileNotFoundError:
            raise self._taken() from None
        return lock

    def _taken(self) -> Conflict:
        return Conflict(f"Another process is restoring {self.settings.home}")

    def _check_targets(self, manifest: Manifest) -> bool:
        """Whether this backup's restore was begun there before."""
        home = self.settings.home
        try:
            marked = (home / RESTORING).read_bytes()
        except FileNotFoundError:
            for place in self._occupied():
                raise BadRequest(
                    f"{place} is not empty: a backup is restored into a new home only",
                    hint="Name another home (--home), or move what is there away first",
                ) from None
            self._check_kinds()
            return False
        if msgspec.json.decode(marked, type=dict[str, str]).get("listing_sha256") != manifest.listing_sha256:
            raise BadRequest(
                f"The restore of another backup into {home} was not finished: {marked.decode(errors='replace')}",
                hint="Finish it, or empty that folder",
            )
        return True

    def _check_kinds(self) -> None:
        """What the settings have on a bucket or on PostgreSQL cannot be restored there, nor the other way round."""
        dumped = (self.source / DUMP).exists()
        if dumped != (sqlite_file(self.settings) is None):
            there = "PostgreSQL" if dumped else "SQLite"
            raise BadRequest(
                f"The backup's metadata is of {there}, and AIRTALLY_DATABASE names another kind",
                hint="Restore with the setting that the server had",
            )
        for part, url in (("lake", self.settings.lake_url), ("files", self.settings.files_url)):
            if (self.source / part).exists():
                self._of_folder(part, url)

    def _occupied(self) -> Iterator[Path]:
        for folder in data_folders(self.settings):
            if folder.exists() and not all(each.name.startswith(_NOT_IN_USE) for each in folder.iterdir()):
                yield folder
        database = sqlite_file(self.settings)
        if database is not None and database.exists():
            yield database

    def _check_room(self, manifest: Manifest) -> None:
        home = self.settings.home.absolute()
        there = next(each for each in (home, *home.parents) if each.exists())
        free = shutil.disk_usage(there).free
        if not (home / RESTORING).exists() and free < manifest.size:
            raise StorageFull(
                f"The disk of {home} has {free >> 20} MiB free, and the backup is {manifest.size >> 20} MiB large",
                hint="Free disk space first; nothing was restored",
            )


def _hashed_if_there(path: Path) -> tuple[int, str] | None:
    try:
        return hashed(path)
    except FileNotFoundError:
        return None


def _damaged_backup(file: BackedUpFile) -> BadRequest:
    return BadRequest(
        f"The backup is damaged: {file.place} is missing or not as it was written", hint="Restore from another backup"
    )
