"""Makes a backup of a home, also while its server takes rows.

A backup is built beside its place, under a name that ends in `.partial`, and gets its name when all of it is there and
durable. One that was interrupted is gone on with.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from airtally import __version__
from airtally.accounts.secrets import FILE_NAME as SECRET_FILE
from airtally.backup.copying import Copier, full_in_words, sync_folders
from airtally.backup.lake_copy import LakeCopy
from airtally.backup.manifest import BackedUpFile, Manifest, write_listing, write_manifest
from airtally.backup.metadata_copy import PinnedHome, pinned_home
from airtally.backup.places import data_folders, local_folder, sqlite_file
from airtally.backup.postgres_copy import dump, pinned_database
from airtally.database import home as homes
from airtally.database.store import MetadataStore
from airtally.kit.clock import Clock
from airtally.kit.durable import sync_path
from airtally.kit.errors import BadRequest, Conflict
from airtally.kit.file_lock import FileLock
from airtally.kit.time import iso_seconds
from airtally.settings import Settings

PARTIAL = ".partial"


_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class HomeBackup:
    """What is copied of the home that the settings name, and where to. Raises as `run` says.

    `secret_key`: with the file that signs links and opens sealed secrets.
    """

    settings: Settings
    target: Path
    clock: Clock
    secret_key: bool = True
    copier: Copier = field(default_factory=Copier)

    def run(self) -> Manifest:
        """Raises BadRequest for a place or home that cannot be used, Conflict where another backup is made there, and
        StorageFull, Unavailable, TableDamaged or NewerHome where it cannot be made now.
        """
        partial = self._prepare()
        lock = FileLock(partial.with_name(partial.name + ".lock"))
        if not lock.acquire():
            raise Conflict(f"Another process is making the backup {self.target}")
        try:
            with full_in_words(self.target, "run the same command again"):
                partial.mkdir(mode=0o700, exist_ok=True)
                manifest = self._make(partial)
            partial.rename(self.target)
            sync_path(self.target.parent)
            return manifest
        finally:
            lock.path.unlink(missing_ok=True)
            lock.release()

    def _prepare(self) -> Path:
        target = self.target.absolute()
        if target.exists():
            raise BadRequest(f"{self.target} is there already", hint="Name a folder that is not there yet")
        for place in data_folders(self.settings):
            if target.is_relative_to(place):
                raise BadRequest(
                    f"{self.target} lies in {place}, which is backed up", hint="Name a place outside of it"
                )
        database = sqlite_file(self.settings)
        if database is not None and not database.exists():
            raise BadRequest(f"There is no home at {self.settings.home}", hint="AIRTALLY_HOME or --home names it")
        target.parent.mkdir(parents=True, exist_ok=True)
        return target.with_name(target.name + PARTIAL)

    def _make(self, partial: Path) -> Manifest:
        revision, versions = self._home_versions()
        made_at = iso_seconds(self.clock.now_us())
        files = self._copy_moment(partial)
        self.copier.faults.reach("backup.lake")
        files += self._copy_lake(partial)
        files += self._copy_files(partial)
        files += self._copy_secret(partial)
        _remove_others(partial, {each.place for each in files})
        count, size, listing = write_listing(partial, sorted(files, key=lambda each: each.place))
        manifest = Manifest(made_at, __version__, revision, versions, count, size, listing, self._elsewhere())
        write_manifest(partial, manifest)
        sync_folders(partial)
        _log.info("backed up", place=str(self.target), files=count, size=size)
        return manifest

    def _home_versions(self) -> tuple[str, dict[str, int]]:
        """Raises NewerHome."""
        store = MetadataStore.open(self.settings.database_url, migrate_schema=False)
        try:
            return homes.revision(store), homes.checked_versions(store)
        finally:
            store.close()

    def _copy_moment(self, partial: Path) -> list[BackedUpFile]:
        """Buffers and metadata, before the lake: so no row is in neither."""
        buffers, url = self.settings.home / "buffer", self.settings.database_url
        path = sqlite_file(self.settings)
        if path is not None:
            with pinned_home(path, buffers) as moment:
                self.copier.faults.reach("backup.moment")
                return moment.copy(partial, self.copier)
        with ExitStack() as closing:
            pinned: list[PinnedHome] = []
            fix = lambda: pinned.append(closing.enter_context(pinned_home(None, buffers)))  # noqa: E731
            with pinned_database(url, fix) as snapshot:
                return [*pinned[0].copy(partial, self.copier), dump(url, snapshot, partial)]

    def _copy_lake(self, partial: Path) -> list[BackedUpFile]:
        lake = local_folder(self.settings.lake_url)
        return [] if lake is None else LakeCopy(lake, partial / "lake", self.copier).run()

    def _copy_files(self, partial: Path) -> list[BackedUpFile]:
        """Generated files, after the metadata that names them. One that is deleted meanwhile is not missed."""
        files = local_folder(self.settings.files_url)
        return [] if files is None else list(_copied_below(files, partial / "files", self.copier))

    def _copy_secret(self, partial: Path) -> list[BackedUpFile]:
        path = self.settings.home / SECRET_FILE
        if not self.secret_key or self.settings.secret_key or not path.exists():
            return []
        return [BackedUpFile(SECRET_FILE, *self.copier.copied(path, partial / SECRET_FILE))]

    def _elsewhere(self) -> list[str]:
        found = [
            f"the {what} is on a bucket, {url}: keep its versions there"
            for what, url in (("lake", self.settings.lake_url), ("store of generated files", self.settings.files_url))
            if local_folder(url) is None
        ]
        if self.settings.secret_key or not self.secret_key:
            where = "AIRTALLY_SECRET_KEY" if self.settings.secret_key else f"{self.settings.home / SECRET_FILE}"
            found.append(f"the secret key is not in it ({where}): without it no key works")
        return found


def _copied_below(source: Path, target: Path, copier: Copier) -> Iterator[BackedUpFile]:
    """Finished files alone: obstore gives those under way a name that ends in # and a number."""
    for folder, folders, names in os.walk(source):
        folders.sort()
        for name in sorted(each for each in names if "#" not in each):
            path = Path(folder, name)
            relative = path.relative_to(source)
            try:
                yield BackedUpFile(f"files/{relative}", *copier.copied(path, target / relative))
            except FileNotFoundError:
                continue


def _remove_others(partial: Path, places: Iterable[str]) -> None:
    """What an interrupted run copied, and this one has no use for."""
    wanted = set(places)
    for folder, _, names in os.walk(partial):
        for name in names:
            path = Path(folder, name)
            if str(path.relative_to(partial)) not in wanted:
                path.unlink()
