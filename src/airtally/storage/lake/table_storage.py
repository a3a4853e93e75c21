"""The files of a table, in a local folder or on a bucket."""

from __future__ import annotations

import os
import time
from collections.abc import Hashable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from airtally.kit.durable import sync_path

LOG = "_delta_log"
#: The folder of the lake in which the rollups' tables lie.
ROLLUPS = "_rollups"
DATA = ".parquet"
#: How many of the last commits are made durable with each new one: a gap in the log would lose the table.
_SYNCED_COMMITS = 8
_BUCKET_STALE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class LogFile:
    """A file of a table's log. Of two with one name and another `log_state` one was written anew."""

    name: str
    size: int
    log_state: Hashable


class TableStorage(Protocol):
    """A table's files. `name`s are relative to the table, those of the log to its folder."""

    url: str
    options: dict[str, str]
    local: bool

    def full(self, name: str) -> str:
        """The path or URL by which an engine opens a file."""
        ...

    def put(self, name: str, source: Path) -> int:
        """Move a finished local file here, durably; returns its size."""
        ...

    def scratch(self, name: str) -> Path:
        """A local path to write a new file to before `put`."""
        ...

    def delete(self, name: str) -> None: ...

    def sync_log(self, version: int) -> None:
        """Make the commits up to `version` durable."""
        ...

    def lacks_folder(self) -> bool:
        """Whether there is nothing of the table, which costs one stat. False on a bucket, which has no folders."""
        ...

    def log_state(self) -> float:
        """Take it before a version is opened: `moved_on` and `older` compare with it."""
        ...

    def moved_on(self, version: int, log_state: float) -> bool:
        """Whether there may be a commit after `version`, which was opened after `log_state`."""
        ...

    def older(self, log_state: float, since: float) -> bool:
        """Whether a version opened after `log_state` may miss commits made before `since` (monotonic)."""
        ...

    def log_listing(self) -> list[LogFile]:
        """The log's files in no order; empty where there is no log."""
        ...

    def read_log(self, name: str) -> bytes | None:
        """A file of the log; None where it is not there, such as one that was cleaned up."""
        ...

    def has_data(self) -> bool:
        """Whether there is any data file, of whatever version."""
        ...

    def absent(self, names: Iterable[str]) -> list[str]:
        """The data files among `names` that are not there, in order."""
        ...


class LocalStorage:
    """A folder."""

    local = True

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder.removeprefix("file://")).absolute()
        self.url = str(self.folder)
        self.options: dict[str, str] = {}
        self._log = str(self.folder / LOG)

    def full(self, name: str) -> str:
        return f"{self.url}/{name}"

    def put(self, name: str, source: Path) -> int:
        target = self.folder / name
        if source != target:
            target.parent.mkdir(parents=True, exist_ok=True)
            source.replace(target)
        sync_path(target)
        sync_path(target.parent)
        sync_path(self.folder)
        return target.stat().st_size

    def scratch(self, name: str) -> Path:
        target = self.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        return target

    def delete(self, name: str) -> None:
        (self.folder / name).unlink(missing_ok=True)

    def sync_log(self, version: int) -> None:
        for each in range(max(0, version - _SYNCED_COMMITS), version + 1):
            path = Path(f"{self._log}/{each:020d}.json")
            if path.exists():
                sync_path(path)
        checkpoint = list(Path(self._log).glob(f"{version:020d}.checkpoint*"))
        for path in [*checkpoint, *(Path(self._log).glob("_last_checkpoint") if checkpoint else ())]:
            with suppress(FileNotFoundError):  # another process renames its own unfinished one, `….parquet#1`
                sync_path(path)
        sync_path(Path(self._log))

    def lacks_folder(self) -> bool:
        return not _exists(self.url)

    def log_state(self) -> float:
        return _changed_ns(f"{self._log}/_last_checkpoint")

    def moved_on(self, version: int, log_state: float) -> bool:
        """Stats the next commit's file; where that was cleaned up already, the checkpoint is another one."""
        return _exists(f"{self._log}/{version + 1:020d}.json") or log_state != self.log_state()

    def older(self, log_state: float, since: float) -> bool:  # noqa: ARG002 (part of the protocol)
        """`moved_on` sees every commit at once."""
        return False

    def log_listing(self) -> list[LogFile]:
        try:
            with os.scandir(self._log) as entries:
                return [found for entry in entries if (found := _log_file(entry)) is not None]
        except (FileNotFoundError, NotADirectoryError):
            return []

    def read_log(self, name: str) -> bytes | None:
        try:
            return Path(f"{self._log}/{name}").read_bytes()
        except FileNotFoundError:
            return None

    def has_data(self) -> bool:
        return any(
            name.endswith(DATA)
            for folder, _, names in os.walk(self.folder)
            if not folder.startswith(self._log)
            for name in names
        )

    def absent(self, names: Iterable[str]) -> list[str]:
        return [name for name in names if not _exists(f"{self.url}/{name}")]


class BucketStorage:
    """A prefix of a bucket. Credentials come from the environment, as `deltalake` takes them."""

    local = False

    def __init__(self, url: str, options: dict[str, str], scratch: Path) -> None:
        import obstore.store  # noqa: PLC0415 (only where there is a bucket)

        self.url = url
        self.options = options
        self._scratch = scratch
        config: Any = {name.lower(): value for name, value in options.items()}
        self._store = obstore.store.from_url(url, config=config or None)

    def full(self, name: str) -> str:
        return f"{self.url}/{name}"

    def put(self, name: str, source: Path) -> int:
        import obstore  # noqa: PLC0415

        size = source.stat().st_size
        obstore.put(self._store, name, source)
        source.unlink()
        return size

    def scratch(self, name: str) -> Path:
        self._scratch.mkdir(parents=True, exist_ok=True)
        return self._scratch / name.replace("/", "_")

    def delete(self, name: str) -> None:
        import obstore  # noqa: PLC0415

        obstore.delete(self._store, name)

    def fetch(self, name: str) -> Path:
        """Download a file for the engine that compacts; returns the local path."""
        import obstore  # noqa: PLC0415

        path = self.scratch(name)
        with path.open("wb") as file:
            for block in obstore.get(self._store, name).stream():
                file.write(block)
        return path

    def sync_log(self, version: int) -> None:
        """Does nothing: a bucket's objects are durable when their request is answered."""

    def lacks_folder(self) -> bool:
        return False

    def log_state(self) -> float:
        return time.monotonic()

    def moved_on(self, version: int, log_state: float) -> bool:  # noqa: ARG002 (part of the protocol)
        return time.monotonic() > log_state + _BUCKET_STALE_SECONDS

    def older(self, log_state: float, since: float) -> bool:
        return log_state < since

    def log_listing(self) -> list[LogFile]:
        import obstore  # noqa: PLC0415

        pages = obstore.list(self._store, prefix=LOG)
        found = (
            (each["path"].rpartition("/")[2], each["size"], each["last_modified"]) for page in pages for each in page
        )
        return [LogFile(name, size, modified) for name, size, modified in found]

    def read_log(self, name: str) -> bytes | None:
        import obstore  # noqa: PLC0415

        try:
            return bytes(obstore.get(self._store, f"{LOG}/{name}").bytes())
        except FileNotFoundError:
            return None

    def has_data(self) -> bool:
        return any(True for _ in self._data())

    def absent(self, names: Iterable[str]) -> list[str]:
        there = set(self._data())
        return [name for name in names if name not in there]

    def _data(self) -> Iterator[str]:
        import obstore  # noqa: PLC0415

        pages = obstore.list(self._store)
        paths = (each["path"] for page in pages for each in page)
        return (path for path in paths if path.endswith(DATA) and not path.startswith(f"{LOG}/"))


def open_storage(url: str, options: Mapping[str, str], scratch: Path | None = None) -> TableStorage:
    if "://" not in url or url.startswith("file://"):
        return LocalStorage(url)
    import tempfile  # noqa: PLC0415

    return BucketStorage(url, dict(options), scratch or Path(tempfile.gettempdir()) / f"airtally-{os.getpid()}")


def _log_file(entry: os.DirEntry[str]) -> LogFile | None:
    """None for a file that was cleaned up meanwhile."""
    try:
        found = entry.stat()
    except FileNotFoundError:
        return None
    return LogFile(entry.name, found.st_size, (found.st_mtime_ns, found.st_ino))


def _exists(path: str) -> bool:
    try:
        os.stat(path)  # noqa: PTH116 (asked at every question; a Path costs more than the call)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _changed_ns(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns  # noqa: PTH116
    except FileNotFoundError:
        return 0
