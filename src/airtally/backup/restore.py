"""Restores a backup into an empty home. Until it is finished a mark keeps every program from opening that home.

A restore that was interrupted is gone on with by the same command: files that are whole already are not copied again.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from airtally.backup.copying import copied, full_in_words, hashed, sync_folders
from airtally.backup.manifest import BackedUpFile, Manifest, listed_files, read_manifest
from airtally.backup.places import data_folders, local_folder, sqlite_file
from airtally.backup.postgres_copy import PLACE as DUMP
from airtally.database import home as homes
from airtally.kit.durable import sync_path, write_file
from airtally.kit.errors import BadRequest, StorageFull
from airtally.kit.faults import NO_FAULTS, Faults
from airtally.kit.private import RESTORING
from airtally.settings import Settings


@dataclass(frozen=True, slots=True)
class HomeRestore:
    """A backup, and the settings that name the home it is to become. Neither is opened by other processes meanwhile."""

    source: Path
    settings: Settings
    faults: Faults = NO_FAULTS

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
        and StorageFull.
        """
        manifest = self._manifest()
        self._check_targets(manifest)
        self._check_room(manifest)
        with full_in_words(self.settings.home, "run the same command again"):
            self._mark(manifest)
            count = 0
            for each in listed_files(self.source, manifest):
                count += 1
                self._restore_file(each)
            self._check_count(manifest, count)
            for folder in data_folders(self.settings):
                sync_folders(folder)
        (self.settings.home / RESTORING).unlink()
        sync_path(self.settings.home)
        return manifest

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
            found = copied(source, target, self.faults)
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
        write_file(self.settings.home / RESTORING, self._marked(manifest))

    def _marked(self, manifest: Manifest) -> bytes:
        return msgspec.json.encode({"source": str(self.source.absolute()), "listing_sha256": manifest.listing_sha256})

    def _check_targets(self, manifest: Manifest) -> None:
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
            return
        if msgspec.json.decode(marked, type=dict[str, str]).get("listing_sha256") != manifest.listing_sha256:
            raise BadRequest(
                f"The restore of another backup into {home} was not finished: {marked.decode(errors='replace')}",
                hint="Finish it, or empty that folder",
            )

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
            if folder.exists() and any(each.name != "lost+found" for each in folder.iterdir()):
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
