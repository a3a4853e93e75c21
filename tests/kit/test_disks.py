from __future__ import annotations

import errno
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from airtally.kit import disks
from airtally.kit.disks import LEAST_BYTES, RESERVE_BYTES, check_reserve, check_room, check_write, is_full
from airtally.kit.errors import StorageFull


def disk_with(monkeypatch: pytest.MonkeyPatch, free: int, files: int = 10, free_files: int = 1) -> None:
    found = SimpleNamespace(
        f_bavail=free // 4096, f_blocks=(100 << 30) // 4096, f_frsize=4096, f_files=files, f_favail=free_files
    )
    monkeypatch.setattr(disks.os, "statvfs", lambda _: found)


def test_a_disk_is_full_without_room_for_a_commit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    disk_with(monkeypatch, LEAST_BYTES)
    check_room(tmp_path)
    disk_with(monkeypatch, LEAST_BYTES - 4096)
    with pytest.raises(StorageFull, match="2044 KiB are free"):
        check_room(tmp_path)


def test_work_that_can_wait_leaves_room_to_rows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    disk_with(monkeypatch, RESERVE_BYTES)
    check_reserve(tmp_path)
    disk_with(monkeypatch, RESERVE_BYTES - 4096)
    with pytest.raises(StorageFull, match="2047 MiB are free"):
        check_reserve(tmp_path)
    monkeypatch.setattr(disks, "RESERVE_SHARE", 1 / 100)  # of 100 GiB
    check_reserve(tmp_path)


def test_a_disk_is_full_without_room_for_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    disk_with(monkeypatch, LEAST_BYTES, free_files=0)
    with pytest.raises(StorageFull, match="no room for another file"):
        check_room(tmp_path)
    disk_with(monkeypatch, LEAST_BYTES, files=0, free_files=0)  # as btrfs says, which has no such limit
    check_room(tmp_path)


def test_a_folder_that_is_not_there_yet_is_on_the_disk_of_the_one_above(tmp_path: Path) -> None:
    check_room(tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []


def test_writing_leaves_nothing_and_tells_other_trouble_apart(tmp_path: Path) -> None:
    check_write(tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []
    with pytest.raises(OSError, match=os.strerror(errno.ENOTDIR)):
        check_write(Path("/dev/null/x"))


def test_what_a_full_disk_raises() -> None:
    assert is_full(OSError(errno.ENOSPC, "x"))
    assert is_full(OSError(errno.EDQUOT, "x"))
    assert not is_full(OSError(errno.EACCES, "x"))
    assert not is_full(ValueError())
