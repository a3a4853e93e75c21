from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

from airtally.files.store import FileStore
from airtally.kit.errors import NotFound, StorageFull, Unavailable
from airtally.kit.faults import Faults


@pytest.fixture(params=["folder", "bucket"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> FileStore:
    return FileStore.open(str(tmp_path / "files") if request.param == "folder" else "memory:///")


def test_a_file_is_written_from_chunks_and_read_by_range(files: FileStore) -> None:
    files.write("reports/acme/1.gz", iter([b"abc", b"defg"]))
    assert files.size("reports/acme/1.gz") == 7
    assert b"".join(files.read("reports/acme/1.gz")) == b"abcdefg"
    assert b"".join(files.read("reports/acme/1.gz", 2, 5)) == b"cde"
    assert b"".join(files.read("reports/acme/1.gz", 6)) == b"g"


def test_large_files_come_in_several_chunks(files: FileStore) -> None:
    block = bytes(range(256)) * 4096
    files.write("large", (block for _ in range(9)))
    chunks = list(files.read("large"))
    assert b"".join(chunks) == block * 9


def test_a_missing_file_is_not_found_and_may_be_deleted(files: FileStore) -> None:
    for act in (files.size, files.read):
        with pytest.raises(NotFound):
            act("reports/none.gz")
    files.delete("reports/none.gz")


def test_a_deleted_file_is_gone(files: FileStore) -> None:
    files.write("x", [b"1"])
    files.delete("x")
    with pytest.raises(NotFound):
        files.read("x")


class FullDisk(Faults):
    def __init__(self) -> None:
        self.writes = 0

    def reach(self, point: str) -> None:
        if point == "files.write":
            self.writes += 1
            if self.writes == 3:
                raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_leaves_nothing_and_work_goes_on_after(tmp_path: Path) -> None:
    files = FileStore.open(str(tmp_path), FullDisk())
    with pytest.raises(StorageFull):
        files.write("reports/a.gz", [b"x" * 6_000_000] * 4)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    files.write("reports/a.gz", [b"y"])
    assert b"".join(files.read("reports/a.gz")) == b"y"


def test_other_trouble_is_unavailable(tmp_path: Path) -> None:
    def failing() -> Iterator[bytes]:
        yield b"1"
        raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(Unavailable, match="Input/output"):
        FileStore.open(str(tmp_path)).write("a", failing())


@pytest.mark.parametrize("name", ["../outside", "a/../../outside"])
def test_names_do_not_leave_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"\.\."):
        FileStore.open(str(tmp_path / "files")).write(name, [b"x"])


def test_a_finished_file_is_taken_in(files: FileStore, tmp_path: Path) -> None:
    made = tmp_path / "made"
    made.write_bytes(b"content")
    files.take("datasets/acme/7/one", made)
    assert b"".join(files.read("datasets/acme/7/one")) == b"content"
    assert not made.exists()
    files.write("datasets/acme/77/other", [b"x"])
    assert files.names("datasets/acme/7") == ["datasets/acme/7/one"]
    assert files.names("datasets/none") == []


def test_taking_in_does_not_leave_the_folder(tmp_path: Path) -> None:
    made = tmp_path / "made"
    made.write_bytes(b"content")
    with pytest.raises(ValueError, match="out of the store"):
        FileStore.open(str(tmp_path / "files")).take("../outside", made)
    assert made.exists()
