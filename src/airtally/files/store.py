"""Generated files, in a local folder or a bucket."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from airtally.kit.durable import publish_file, sync_path
from airtally.kit.errors import NotFound, StorageFull, Unavailable
from airtally.kit.faults import NO_FAULTS, Faults

if TYPE_CHECKING:
    from obstore import GetOptions

CHUNK_BYTES = 1 << 20
#: A file is sent to a bucket in parts of this size: S3 refuses parts below 5 MiB, but for the last.
PART_BYTES = 8 << 20


class FileStore:
    """Whole files by name: one is there complete or not at all."""

    def __init__(self, store: ObjectStore, faults: Faults = NO_FAULTS) -> None:
        self._store = store
        self._faults = faults

    @classmethod
    def open(cls, url: str, faults: Faults = NO_FAULTS) -> FileStore:
        """`url` is a folder, made where it is missing, or a bucket such as `s3://bucket/prefix`.

        A bucket's credentials come from the environment, by the vendor's own names.
        """
        if "://" not in url:
            return cls(LocalStore(Path(url).absolute(), mkdir=True), faults)
        return cls(from_url(url), faults)

    def write(self, name: str, chunks: Iterable[bytes]) -> None:
        """Raises StorageFull or Unavailable; then nothing is there by that name."""
        with storage_failures(name):
            obstore.put(self._store, name, self._faulty(chunks), chunk_size=PART_BYTES, max_concurrency=4)
            self._sync(name)

    def take(self, name: str, path: Path) -> None:
        """Move a finished file in that lies on local disk and was synced; as `write`."""
        if not self._moved(name, path):
            with path.open("rb") as file:
                self.write(name, iter(partial(file.read, CHUNK_BYTES), b""))
            path.unlink()

    def names(self, folder: str) -> list[str]:
        """All files below a folder, by their whole names."""
        with storage_failures(folder):
            return [str(each["path"]) for some in obstore.list(self._store, folder) for each in some]

    def size(self, name: str) -> int:
        """Bytes of a file; raises NotFound."""
        with storage_failures(name):
            return int(obstore.head(self._store, name)["size"])

    def read(self, name: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The bytes from `start` up to `end`, in chunks.

        Raises NotFound or Unavailable before the first chunk is asked for.
        """
        self._faults.reach("files.read")
        with storage_failures(name):
            found = obstore.get(self._store, name, options=_range(start, end))
            stream = found.stream(CHUNK_BYTES)
        return (bytes(chunk) for chunk in stream)

    def delete(self, name: str) -> None:
        """A file that is gone already is no failure."""
        try:
            with storage_failures(name):
                obstore.delete(self._store, name)
        except NotFound:
            return

    def _faulty(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self._faults.reach("files.write")
            yield chunk

    def _moved(self, name: str, path: Path) -> bool:
        """False where the store is no folder on the same disk."""
        if not isinstance(self._store, LocalStore) or self._store.prefix is None:
            return False
        target = Path(self._store.prefix) / name
        if ".." in target.parts:
            raise ValueError(f"{name} leads out of the store")
        with storage_failures(name):
            self._faults.reach("files.write")
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                publish_file(path, target)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                return False
        return True

    def _sync(self, name: str) -> None:
        """A file that is called done survives a power loss: obstore leaves the last bytes to the system."""
        if not isinstance(self._store, LocalStore) or self._store.prefix is None:
            return
        file = Path(self._store.prefix) / name
        sync_path(file)
        sync_path(file.parent)


def _range(start: int, end: int | None) -> GetOptions:
    """The whole file without one: S3 answers 416 to any range of an empty file."""
    if end is not None:
        return {"range": (start, end)}
    return {"range": {"offset": start}} if start else {}


@contextmanager
def storage_failures(what: str) -> Iterator[None]:
    """Turns a full disk into StorageFull and other trouble with it into Unavailable."""
    try:
        yield
    except FileNotFoundError as error:
        raise NotFound(f"There is no file {what}") from error
    except (OSError, BaseError) as error:
        full = getattr(error, "errno", None) in {errno.ENOSPC, errno.EDQUOT} or "No space left" in str(error)
        if full:
            raise StorageFull(f"There is no room to write {what}") from error
        raise Unavailable(f"The file store failed at {what}: {str(error).splitlines()[0][:200]}") from error
