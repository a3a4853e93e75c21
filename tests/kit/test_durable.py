"""The order of what reaches the disk; the tests of a power loss itself are those of who writes (buffer, files, reports)."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from airtally.kit import durable
from airtally.kit.durable import create_file, publish_file, sync_file, sync_path, write_file


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, list[str]]]:
    """What was synced, each with the names that were in the folder by then."""
    calls: list[tuple[Path, list[str]]] = []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        folder = path if path.is_dir() else path.parent
        calls.append((path, sorted(each.name for each in folder.iterdir())))
        fsync(descriptor)

    monkeypatch.setattr(durable.os, "fsync", noted)
    return calls


def test_a_file_is_synced_before_it_has_its_name_and_the_folder_after(tmp_path: Path, synced: list) -> None:
    write_file(tmp_path / "file", b"content", draft=tmp_path / "draft")
    assert synced == [(tmp_path / "draft", ["draft"]), (tmp_path, ["file"])]
    assert (tmp_path / "file").read_bytes() == b"content"


def test_a_file_is_replaced_whole_and_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"a longer one, for all to read")
    path.chmod(0o644)
    write_file(path, b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_the_draft_of_a_crash_is_written_over(tmp_path: Path) -> None:
    draft = tmp_path / "draft"
    draft.write_bytes(b"what a process that died left, longer than the next")
    write_file(tmp_path / "file", b"content", draft=draft)
    assert (tmp_path / "file").read_bytes() == b"content"


def test_of_many_who_make_a_file_one_is_first_and_its_content_stays(tmp_path: Path) -> None:
    path, made, barrier = tmp_path / "file", [], threading.Barrier(8)

    def make(content: bytes) -> None:
        barrier.wait(60)
        if create_file(path, content):
            made.append(content)

    threads = [threading.Thread(target=make, args=(b"%d" % number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [path.read_bytes()] == made
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_file_is_synced_before_it_has_its_name_and_the_folder_after(tmp_path: Path, synced: list) -> None:
    assert create_file(tmp_path / "file", b"content")
    (draft, names), folder = synced
    assert names == [draft.name] != ["file"]
    assert folder == (tmp_path, ["file"])


def test_publishing_needs_the_same_disk(tmp_path: Path, synced: list) -> None:
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is one disk only")
    (tmp_path / "source").write_bytes(b"a")
    with pytest.raises(OSError, match="cross-device"):
        publish_file(tmp_path / "source", other / f"airtally-{os.getpid()}")
    assert (tmp_path / "source").exists()


def test_what_was_written_is_flushed_first(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:
        file.write(b"content")
        sync_file(file)
        assert (tmp_path / "file").read_bytes() == b"content"


def test_a_file_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        sync_path(tmp_path / "gone")
