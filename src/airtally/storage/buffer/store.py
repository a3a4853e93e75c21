"""One buffer file (SQLite), and the lock that says which process owns it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from airtally.kit.durable import sync_path
from airtally.kit.file_lock import FileLock
from airtally.storage.buffer.intake import IntakeCount

_SCHEMA = """
CREATE TABLE IF NOT EXISTS batches (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    stream TEXT NOT NULL,
    lane INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    content BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS claims (id TEXT PRIMARY KEY, answer BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS intake (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    day INTEGER NOT NULL,
    account TEXT NOT NULL,
    kind TEXT NOT NULL,
    rows INTEGER NOT NULL,
    refused INTEGER NOT NULL,
    size INTEGER NOT NULL
);
"""
PAGE_BYTES = 8192
#: Only a guard: the log is emptied after each flush.
_CHECKPOINT_PAGES = 32_768
_DISCARDED_AT_ONCE = 128
#: Counts of intakes that are read at once.
_INTAKES_AT_ONCE = 20_000

SUFFIX = ".sqlite"


@dataclass(frozen=True, slots=True)
class StoredBatch:
    sequence: int
    stream: str
    lane: int
    received_at_us: int
    rows: int
    content: bytes


@dataclass(frozen=True, slots=True)
class NewBatch:
    stream: str
    lane: int
    received_at_us: int
    rows: int
    content: pa.Buffer


class BufferStore:
    """A locked buffer file. Not thread-safe: only the thread of its `BufferWriter` uses it."""

    def __init__(self, path: Path, lock: FileLock) -> None:
        self.path = path
        self.id = path.name.removesuffix(SUFFIX)
        self._lock = lock
        self.connection = connect(path)

    @classmethod
    def create(cls, folder: Path, buffer_id: str) -> BufferStore:
        lock = FileLock(folder / f"{buffer_id}.lock")
        if not lock.acquire():
            raise RuntimeError(f"buffer {buffer_id} is taken")
        store = cls(folder / f"{buffer_id}{SUFFIX}", lock)
        sync_path(folder)
        return store

    @classmethod
    def adopt(cls, path: Path, prepare: Callable[[], None] = lambda: None) -> BufferStore | None:
        """The file, if no living process owns it. `prepare` is called under its lock, before SQLite opens it."""
        lock = FileLock(path.with_suffix(".lock"))
        if not lock.acquire():
            return None
        try:
            prepare()
            if path.exists():
                return cls(path, lock)
        except BaseException:
            lock.release()
            raise
        lock.path.unlink(missing_ok=True)
        lock.release()
        return None

    def insert(
        self, batches: Iterable[NewBatch], claims: Iterable[tuple[str, bytes]], intakes: Iterable[IntakeCount] = ()
    ) -> list[int]:
        """One transaction, on disk when this returns; the batches' sequences in order."""
        execute = self.connection.execute
        execute("BEGIN IMMEDIATE")
        try:
            sequences = [
                execute(
                    "INSERT INTO batches (stream, lane, received_at, rows, content) VALUES (?, ?, ?, ?, ?)",
                    (each.stream, each.lane, each.received_at_us, each.rows, each.content),
                ).lastrowid
                or 0
                for each in batches
            ]
            self.connection.executemany("INSERT OR REPLACE INTO claims VALUES (?, ?)", claims)
            self.connection.executemany(
                "INSERT INTO intake (day, account, kind, rows, refused, size) VALUES (?, ?, ?, ?, ?, ?)",
                [(each.day, each.account, each.kind, each.rows, each.refused, each.size) for each in intakes],
            )
            execute("COMMIT")
        except BaseException:
            if self.connection.in_transaction:
                execute("ROLLBACK")
            raise
        return sequences

    def batches(self, above: int = 0) -> Iterator[StoredBatch]:
        query = "SELECT sequence, stream, lane, received_at, rows, content FROM batches WHERE sequence > ? ORDER BY 1"
        for row in self.connection.execute(query, (above,)).fetchall():
            yield StoredBatch(*row)

    def discard_some(self, stream: str, lane: int, through: int) -> bool:
        """Delete some flushed batches; True while there are more.

        Not worth an fsync: a batch that comes back after power loss is known to be flushed.
        """
        self.connection.execute("PRAGMA synchronous = NORMAL")
        try:
            deleted = self.connection.execute(
                "DELETE FROM batches WHERE sequence IN (SELECT sequence FROM batches"
                " WHERE stream = ? AND lane = ? AND sequence <= ? ORDER BY sequence LIMIT ?)",
                (stream, lane, through, _DISCARDED_AT_ONCE),
            )
        finally:
            self.connection.execute("PRAGMA synchronous = FULL")
        return deleted.rowcount == _DISCARDED_AT_ONCE

    def claim_answer(self, claim_id: str) -> bytes | None:
        row = self.connection.execute("SELECT answer FROM claims WHERE id = ?", (claim_id,)).fetchone()
        return None if row is None else bytes(row[0])

    def forget_claims(self, claim_ids: Iterable[str]) -> None:
        self.connection.executemany("DELETE FROM claims WHERE id = ?", [(each,) for each in claim_ids])

    def forget_all_claims(self) -> None:
        self.connection.execute("DELETE FROM claims")

    def intakes(self) -> list[IntakeCount]:
        """What requests brought and nobody has forgotten yet, the oldest first; not more than are read at once."""
        query = "SELECT id, day, account, kind, rows, refused, size FROM intake ORDER BY id LIMIT ?"
        return [IntakeCount(*row) for row in self.connection.execute(query, (_INTAKES_AT_ONCE,)).fetchall()]

    def forget_intakes(self, through: int) -> None:
        """Not worth an fsync: whoever has counted them knows up to which one."""
        self.connection.execute("PRAGMA synchronous = NORMAL")
        try:
            self.connection.execute("DELETE FROM intake WHERE id <= ?", (through,))
        finally:
            self.connection.execute("PRAGMA synchronous = FULL")

    @property
    def empty(self) -> bool:
        query = (
            "SELECT EXISTS (SELECT 1 FROM batches) OR EXISTS (SELECT 1 FROM claims) OR EXISTS (SELECT 1 FROM intake)"
        )
        return not self.connection.execute(query).fetchone()[0]

    def truncate_log(self) -> None:
        self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def scrub(self) -> None:
        """Write the file anew, without the pages of deleted batches, and empty its log."""
        self.connection.execute("VACUUM")
        self.truncate_log()

    def close(self) -> None:
        self.connection.close()
        self._lock.release()

    def remove(self) -> None:
        """Only for an empty file. The lock goes last, so that nobody adopts half a buffer."""
        self.truncate_log()  # a log that outlives its file is taken for a damaged buffer's, unless it is empty
        self.connection.close()
        for suffix in ("", "-wal", "-shm"):
            beside(self.path, suffix).unlink(missing_ok=True)
        self._lock.path.unlink(missing_ok=True)
        self._lock.release()


def beside(path: Path, suffix: str) -> Path:
    """The file of that name and suffix: SQLite's `-wal` and `-shm`, and what is kept of a damaged one."""
    return path.with_name(path.name + suffix)


def copy_log(path: Path) -> None:
    """Move the log's pages into the file without holding up its writer (a passive checkpoint).

    Not where somebody has emptied the file under its process: a new connection would delete the log.
    """
    if path.stat().st_size <= 1:
        return
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
    finally:
        connection.close()


def connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
    connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
    connection.executescript(_SCHEMA)
    return connection
