"""Backups and restores that are interrupted, or for which there is something in the way."""

from __future__ import annotations

import errno
import hashlib
import json
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from airtally.backup.copying import DRAFT, Copier
from airtally.backup.make import PARTIAL, HomeBackup
from airtally.backup.manifest import HEAD, LISTING, Manifest
from airtally.backup.restore import HomeRestore
from airtally.doctor.premises import HomePremises
from airtally.kit import private
from airtally.kit.clock import MovableClock
from airtally.kit.errors import BadRequest, Conflict, NewerHome, StorageFull, Unavailable
from airtally.kit.faults import NO_FAULTS, Faults
from airtally.runtime import open_services
from airtally.settings import Settings
from airtally.storage.lake.damage import TableDamaged
from airtally.storage.lake.table_storage import LOG
from fixtures.damage import truncate
from fixtures.killed import Killed
from fixtures.migrated import migrated
from fixtures.storage import NOON_US, Storage, add_flushed, care, compact

MEDIAS = [1, 2, 3, 4, 5, 6]


class At(Faults):
    """Calls `then` when the point is reached, after `skip` times, and counts them."""

    def __init__(self, point: str, then: Callable[[], object], *, skip: int = 0) -> None:
        self._point, self._then, self._skip = point, then, skip
        self.reached = 0

    def reach(self, point: str) -> None:
        if point == self._point:
            self.reached += 1
            if self.reached == self._skip + 1:
                self._then()


class Copying:
    """A home with rows in the lake and in a buffer that lives, its backup and what is restored of it."""

    def __init__(self, storage: Storage, folder: Path) -> None:
        self.storage, self.folder = storage, folder
        self.settings = migrated(Settings(home=storage.home))
        for media in MEDIAS[:-2]:
            add_flushed(storage, (media, f"i{media}", media % 2))
        storage.add(*((media, None, 0) for media in MEDIAS[-2:]))

    def backup(self, faults: Faults = NO_FAULTS, target: str = "copy") -> Manifest:
        return HomeBackup(self.settings, self.folder / target, self.storage.clock, copier=Copier(faults)).run()

    def restore(self, faults: Faults = NO_FAULTS, source: str = "copy") -> Manifest:
        return HomeRestore(self.folder / source, Settings(home=self.folder / "other"), Copier(faults)).run()

    def restored(self) -> list[int]:
        """The media of each row, once the copy's buffers are adopted."""
        with ExitStack() as opened:
            return Storage(self.folder / "other", self.storage.clock, opened).medias()


@pytest.fixture
def copying(tmp_path: Path) -> Iterator[Copying]:
    with ExitStack() as opened:
        yield Copying(Storage(tmp_path / "home", MovableClock(NOON_US), opened), tmp_path)


def killed() -> None:
    raise Killed


def full() -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("skip", [0, 1, 4, 7])
def test_a_backup_that_was_killed_is_gone_on_with(copying, skip):
    with pytest.raises(Killed):
        copying.backup(At("backup.copy", killed, skip=skip))
    assert not (copying.folder / "copy").exists(), "what is not finished has not the name"
    copying.storage.add((7, None, 0))
    left = At("backup.copy", lambda: None)
    copying.backup(left)
    copying.restore()
    assert copying.restored() == [*MEDIAS, 7]
    assert left.reached <= 9 - skip, "what was whole is not copied again"
    assert not list(copying.folder.rglob(f"*{DRAFT}"))


@pytest.mark.parametrize("skip", [0, 2, 6])
def test_a_restore_that_was_killed_keeps_the_home_closed_until_it_is_gone_on_with(copying, skip):
    copying.backup()
    with pytest.raises(Killed):
        copying.restore(At("backup.copy", killed, skip=skip))
    for opening in (open_services, HomePremises):
        with pytest.raises(Unavailable, match="was not finished"):
            opening(Settings(home=copying.folder / "other"))
    copying.restore()
    assert copying.restored() == MEDIAS
    assert not (copying.folder / "other" / private.RESTORING).exists()


def test_two_restores_at_once_do_not_meet(copying):
    copying.backup()
    refusals = []

    def second() -> None:
        with pytest.raises(Conflict, match="Another process is restoring"):
            copying.restore()
        refusals.append(True)

    copying.restore(At("backup.copy", second, skip=3))
    assert refusals == [True]
    assert copying.restored() == MEDIAS


def test_two_backups_at_once_to_one_place_do_not_meet(copying):
    def second() -> None:
        with pytest.raises(Conflict, match="Another process is making"):
            copying.backup()

    assert copying.backup(At("backup.copy", second, skip=3)).files > 0


def test_a_full_disk_is_said_and_gone_on_from(copying):
    with pytest.raises(StorageFull, match=r"The disk of .*/copy is full"):
        copying.backup(At("backup.copy", full, skip=3))
    copying.backup()
    with pytest.raises(StorageFull, match=r"The disk of .*/other is full"):
        copying.restore(At("backup.copy", full, skip=3))
    copying.restore()
    assert copying.restored() == MEDIAS


def test_files_that_an_erasure_deletes_meanwhile_are_not_missed(copying):
    """A newer version is copied in their place."""
    storage = copying.storage
    old = [Path(each.data.path) for each in storage.table.newest().files]

    def rewrite() -> None:
        assert compact(storage) == 2
        for each in old:
            each.unlink()

    copying.backup(At("backup.copy", rewrite, skip=7))
    copying.restore()
    assert copying.restored() == MEDIAS
    assert not any(each.name in {gone.name for gone in old} for each in (copying.folder / "other").rglob("*.parquet"))


def test_rows_flushed_meanwhile_count_once(copying):
    copying.backup(At("backup.lake", copying.storage.event_store.flush))
    copying.restore()
    assert copying.restored() == MEDIAS


def test_rows_acknowledged_after_the_moment_are_there_whole_or_not_at_all(copying):
    copying.backup(At("backup.moment", lambda: copying.storage.add((8, None, 0), (9, None, 0))))
    copying.restore()
    assert copying.restored() == MEDIAS


def test_the_buffer_of_a_process_that_died_is_copied_as_it_is(copying):
    copying.storage.abandon()
    copying.backup()
    copying.restore()
    assert copying.restored() == MEDIAS
    with ExitStack() as opened:
        again = Storage(copying.storage.home, copying.storage.clock, opened)
        assert again.medias() == MEDIAS, "and can still be adopted where it was"


def test_tables_are_pinned_anew_where_rows_left_by_retention(copying):
    expired = At("backup.pin", lambda: care(copying.storage, days=1).expire(copying.storage.table))
    add_flushed(copying.storage, (10, None, 30))
    copying.backup(expired)
    assert expired.reached == 2
    copying.restore()
    assert copying.restored() == MEDIAS


def test_a_log_that_is_damaged_is_said(copying):
    log = copying.storage.table.storage.folder / LOG
    truncate(max(log.glob("*.json")), 10)
    with pytest.raises(TableDamaged, match=r"playlogs is damaged: _delta_log/0+\d\.json is cut off"):
        copying.backup()


def test_a_data_file_that_is_missing_is_said(copying):
    Path(copying.storage.table.newest().files[0].data.path).unlink()
    with pytest.raises(Unavailable, match="Data file is missing from table playlogs"):
        copying.backup()


def test_what_is_there_is_never_written_over(copying):
    copying.backup()
    with pytest.raises(BadRequest, match="is there already"):
        copying.backup()
    with pytest.raises(BadRequest, match="which is backed up"):
        copying.backup(target="home/inside")
    copying.restore()
    with pytest.raises(BadRequest, match="into a new home only"):
        copying.restore()


def test_everything_is_for_its_owner_only(copying):
    key = copying.storage.home / "secret.key"
    key.write_text("k" * 40)
    copying.backup()
    copying.restore()
    assert (copying.folder / "other/secret.key").read_text() == "k" * 40
    open_to_others = [
        path
        for place in ("copy", "other")
        for path in (copying.folder / place, *(copying.folder / place).rglob("*"))
        if stat.S_IMODE(path.stat().st_mode) & 0o077
    ]
    assert open_to_others == []


@pytest.mark.parametrize("kind", ["cut", "changed", "missing", "listing"])
def test_a_damaged_backup_is_refused(copying, kind):
    copying.backup()
    backup = copying.folder / "copy"
    victim = backup / LISTING if kind == "listing" else next((backup / "lake").rglob("*.parquet"))
    content = victim.read_bytes()
    victim.unlink()
    if kind != "missing":
        victim.write_bytes(content[:-1] if kind == "cut" else content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(BadRequest, match="The backup is damaged"):
        HomeRestore(backup, copying.settings).check()
    with pytest.raises(BadRequest, match="The backup is damaged"):
        copying.restore()
    with pytest.raises(Unavailable, match="was not finished"):
        open_services(Settings(home=copying.folder / "other"))


@pytest.mark.parametrize(
    "change", [{"format": 99}, {"revision": "9999"}, {"versions": {"stream playlogs": 99}}, {"versions": {"new": 1}}]
)
def test_the_backup_of_a_newer_program_is_refused(copying, change):
    copying.backup()
    head = copying.folder / "copy" / HEAD
    head.write_text(json.dumps(json.loads(head.read_text()) | change))
    with pytest.raises(NewerHome):
        copying.restore()
    assert not (copying.folder / "other").exists()


def test_a_folder_that_is_no_finished_backup_is_refused(copying):
    with pytest.raises(Killed):
        copying.backup(At("backup.copy", killed, skip=2))
    for each in (f"copy{PARTIAL}", "nowhere"):
        with pytest.raises(BadRequest, match="holds no finished backup"):
            copying.restore(source=each)


def test_a_listed_file_cannot_lead_out_of_the_home(copying):
    copying.backup()
    listing, head = copying.folder / "copy" / LISTING, copying.folder / "copy" / HEAD
    listing.write_text('{"place":"../evil","size":1,"sha256":"x"}\n')
    made = json.loads(head.read_text()) | {"files": 1}
    head.write_text(json.dumps(made | {"listing_sha256": hashlib.sha256(listing.read_bytes()).hexdigest()}))
    with pytest.raises(BadRequest, match="belongs to no part"):
        copying.restore()


def test_homes_that_are_none_and_settings_that_do_not_fit_are_refused(copying):
    with pytest.raises(BadRequest, match="There is no home"):
        HomeBackup(Settings(home=copying.folder / "none"), copying.folder / "x", copying.storage.clock).run()
    copying.backup()
    with pytest.raises(BadRequest, match="is of SQLite"):
        HomeRestore(copying.folder / "copy", Settings(home=copying.folder / "o", database="postgresql:///x")).run()
    with pytest.raises(BadRequest, match="on a bucket"):
        HomeRestore(copying.folder / "copy", Settings(home=copying.folder / "o", lake="s3://bucket/lake")).run()
