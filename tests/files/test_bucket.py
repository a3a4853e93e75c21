"""Generated files on a real S3 server: whole in any size, and nothing of what was broken off."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import obstore
import pytest
from obstore.store import from_url

from airtally.files.store import PART_BYTES, FileStore
from airtally.kit.errors import NotFound, Unavailable

MIB = 1 << 20


def chunks(size: int, chunk: int = MIB) -> Iterator[bytes]:
    """Bytes that differ from part to part."""
    for start in range(0, size, chunk):
        yield bytes([start // chunk % 251]) * min(chunk, size - start)


@pytest.mark.parametrize(
    "size",
    [0, 1, 4 * MIB, 4 * MIB + 1, 5 * MIB, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 20 * MIB + 3],
)
def test_files_of_any_size(bucket: str, size: int) -> None:
    """S3 refuses parts below 5 MiB, but for the last: a file of several parts is as well as a small one."""
    store = FileStore.open(f"{bucket}/files")
    store.write("acme/1.gz", chunks(size))
    assert store.size("acme/1.gz") == size
    wanted = hashlib.sha256(b"".join(chunks(size))).hexdigest()
    assert hashlib.sha256(b"".join(store.read("acme/1.gz"))).hexdigest() == wanted
    assert store.names("acme") == ["acme/1.gz"]


def test_odd_chunks(bucket: str) -> None:
    """Parts are cut by their size, however the chunks come."""
    store = FileStore.open(bucket)
    store.write("odd", (b"x" * size for size in (1, 9 * MIB, 0, 3, 7 * MIB)))
    assert store.size("odd") == 16 * MIB + 4


def test_a_finished_local_file_is_taken_in(bucket: str, tmp_path) -> None:
    path = tmp_path / "report.gz"
    path.write_bytes(b"".join(chunks(12 * MIB)))
    FileStore.open(bucket).take("acme/report.gz", path)
    assert not path.exists()
    assert FileStore.open(bucket).size("acme/report.gz") == 12 * MIB


def test_parts_of_a_file(bucket: str) -> None:
    """As Range asks for them, across the ends of what was sent."""
    store = FileStore.open(bucket)
    store.write("file", chunks(20 * MIB))
    whole = b"".join(chunks(20 * MIB))
    for start, end in ((0, 10), (PART_BYTES - 5, PART_BYTES + 5), (19 * MIB, 20 * MIB)):
        assert b"".join(store.read("file", start, end)) == whole[start:end]
    assert b"".join(store.read("file", 20 * MIB - 3)) == whole[-3:]


def test_what_is_broken_off_is_not_there(bucket: str) -> None:
    def broken() -> Iterator[bytes]:
        yield from chunks(10 * MIB)
        raise OSError("the disk that it is read from")

    store = FileStore.open(bucket)
    with pytest.raises(Unavailable):
        store.write("file", broken())
    assert store.names("") == []
    with pytest.raises(NotFound):
        store.size("file")


def test_replaced_and_deleted(bucket: str) -> None:
    store = FileStore.open(bucket)
    store.write("file", [b"one"])
    store.write("file", [b"two"])
    assert b"".join(store.read("file")) == b"two"
    store.delete("file")
    store.delete("file")
    with pytest.raises(NotFound):
        store.read("file")
    assert obstore.list(from_url(bucket)).collect() == []
