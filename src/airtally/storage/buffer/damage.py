"""A buffer file that is damaged: found out, kept as it was found, and its rows taken over as far as they can be read.

SQLite must not open such a file first: of a file of no bytes it deletes the log, and a log whose header or whose middle
is damaged it passes over without a word.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import structlog

from airtally.kit import metrics
from airtally.kit.durable import publish_file, sync_path, write_file
from airtally.storage.buffer import wal
from airtally.storage.buffer.salvage import MAGIC, Readable, Salvaged, salvage
from airtally.storage.buffer.store import PAGE_BYTES, beside

#: The ending of what is kept. Its log is kept as `….damaged-wal`: SQLite opens them as one database.
KEPT = ".damaged"
_REPORT = ".json"
_BROKEN = ".broken"  # what releases before this one called such a file, and left its log where it was
#: Errors that speak of the machine, not of the file.
_NOT_OF_THE_FILE = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_NOMEM,
    }
)

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class DamagedBuffer:
    """A file that is kept. `why` is what was found; the counts are of what was recovered, None while that goes on."""

    path: Path
    why: str
    rows: int | None = None
    batches: int | None = None

    def __str__(self) -> str:
        recovered = "its rows are not recovered yet"
        if self.rows is not None:
            recovered = (
                f"{self.rows} rows in {self.batches} batches were recovered and are counted once; others are lost"
            )
        return f"a buffer was damaged ({self.why}): {recovered}; it is kept as {self.path}"

    @property
    def mend(self) -> str:
        return (
            f"look at what may be missing and back up {self.path}*, then delete these files: that clears this message"
        )


def kept(folder: Path) -> list[DamagedBuffer]:
    """The damaged files that an operator has not removed yet."""
    return [_described(path) for path in sorted(folder.glob(f"*{KEPT}"))]


def orphans(folder: Path) -> list[Path]:
    """Where buffer files are, or were before they lost their main file or their recovery was interrupted."""
    named = set(folder.glob("*.sqlite"))
    named |= {path.with_suffix(".sqlite") for path in folder.glob(f"*{_BROKEN}")}
    named |= {path.with_name(path.name.removesuffix("-wal")) for path in folder.glob("*.sqlite-wal") if _size(path)}
    named |= {_origin(path) for path in folder.glob(f"*{KEPT}") if not beside(path, _REPORT).exists()}
    return sorted(named)


def mend(path: Path, readable: Readable) -> None:
    """Make sure that SQLite may open `path`. Only for the holder of its lock."""
    earlier = path.with_suffix(_BROKEN)
    if earlier.exists() and not path.exists():
        earlier.rename(path)
    if not path.exists() and _size(beside(path, "-wal")):
        path.touch()
    begun = _unfinished(path)
    if begun is not None:
        recover(path, problem_of(begun) or "batches cannot be read", readable)
    elif path.exists() and (why := problem_of(path)) is not None:
        recover(path, why, readable)


def problem_of(path: Path) -> str | None:
    """What is wrong with a buffer file; None where nothing is. It is left as it is."""
    log_path = beside(path, "-wal")
    log = wal.read(log_path, PAGE_BYTES)
    if beside(path, "-shm").exists() and not log_path.exists():
        return "its write-ahead log is missing"  # SQLite removes the log last
    if not _size(path):
        return None if log is None else "its main file is empty"
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            return "its main file does not begin as SQLite's do"
    if _size(path) % PAGE_BYTES:
        return "its main file is cut short"
    if log is not None and log.is_broken:
        return "its write-ahead log is damaged"
    return _checked(path)


def recover(path: Path, why: str, readable: Readable) -> None:
    """Keep `path` with its log under another name, and put a new file with what can be read in its place.

    Begun again where it was interrupted: what is kept is complete before anything is changed, and the report is
    written last.
    """
    original = _unfinished(path) or _keep(path)
    _log.error("a buffer is damaged; recovering its rows", file=str(path), why=why, kept=str(original))
    work = path.with_name(f"{path.name}.recovering")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    try:
        fresh = work / "fresh"
        found = salvage(original, fresh, readable)
        for suffix in ("-shm", "-wal"):
            beside(path, suffix).unlink(missing_ok=True)
        fresh.replace(path)
        sync_path(path.parent)
        _report(original, why, found)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    metrics.BUFFERS_BROKEN.inc()
    _log.error("recovered a damaged buffer", file=str(path), kept=str(original), why=why, **asdict(found))


def _keep(path: Path) -> Path:
    """The main file comes last: where it is, all are."""
    original, count = beside(path, KEPT), 1
    while original.exists():
        count += 1
        original = beside(path, f".{count}{KEPT}")
    for suffix in ("-wal", "-shm", ""):
        source = beside(path, suffix)
        if source.exists():
            _link(source, beside(original, suffix))
    sync_path(path.parent)
    return original


def _link(source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:  # a file system without links
        part = beside(target, ".part")
        shutil.copyfile(source, part)
        publish_file(part, target)


def _unfinished(path: Path) -> Path | None:
    """What a recovery kept that did not come to its end."""
    for original in path.parent.glob(f"{path.name}*{KEPT}"):
        if not beside(original, _REPORT).exists():
            return original
    return None


def _origin(kept_file: Path) -> Path:
    return kept_file.with_name(kept_file.name.partition(".")[0] + ".sqlite")


def _report(original: Path, why: str, found: Salvaged) -> None:
    content = json.dumps({"why": why, **asdict(found)}).encode()
    write_file(beside(original, _REPORT), content, draft=beside(original, ".part"))


def _described(path: Path) -> DamagedBuffer:
    try:
        noted = json.loads(beside(path, _REPORT).read_bytes())
        return DamagedBuffer(path, str(noted["why"]), int(noted["rows"]), int(noted["batches"]))
    except (OSError, ValueError, KeyError, TypeError):
        return DamagedBuffer(path, "its recovery has not ended")


def _checked(path: Path) -> str | None:
    """What SQLite itself finds. A connection that cannot write leaves the log as it is when it is closed."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10)) as connection:
            found = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.Error as error:
        if is_of_the_file(error):
            return str(error)
        raise
    return None if found == "ok" else " ".join(found.split())


def is_of_the_file(error: sqlite3.Error) -> bool:
    """Whether an error of SQLite says that the file is damaged, and not that it is in use or out of reach."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF not in _NOT_OF_THE_FILE


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
