"""What can still be read of a damaged buffer file, as a new file. The damaged one is only read."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from airtally.kit.errors import NewerHome
from airtally.storage.buffer import batches, store, wal
from airtally.storage.buffer.store import PAGE_BYTES, StoredBatch
from airtally.storage.buffer.wal import Log
from airtally.streams import STREAMS

MAGIC = b"SQLite format 3\0"
_LANES = (0, 1)

Readable = Callable[[StoredBatch], bool]


@dataclass(slots=True)
class Salvaged:
    """What a new file was given: batches that are whole, their rows, and answers of claims."""

    batches: int = 0
    rows: int = 0
    claims: int = 0


@dataclass(frozen=True, slots=True)
class _Table:
    """A table of a buffer file: where its tree begins, how its leaves do, and how it is read."""

    name: str
    root: int
    leaf: int
    keys: str
    row: str


_BATCHES = _Table(
    "batches",
    2,
    0x0D,
    "SELECT sequence FROM batches",
    "SELECT sequence, stream, lane, received_at, rows, content FROM batches WHERE sequence = ?",
)
#: In the order of their rows: an account's name where a batch has a number tells one from the other.
_INTAKES = _Table(
    "intake",
    5,
    0x0D,
    "SELECT id FROM intake",
    "SELECT id, day, account, kind, rows, refused, size FROM intake WHERE id = ?",
)
_CLAIMS = _Table("claims", 4, 0x0A, "SELECT id FROM claims", "SELECT id, answer FROM claims WHERE id = ?")


def is_readable(batch: StoredBatch, *, newer: bool = True) -> bool:
    """Whether a batch of a damaged file is whole. `newer`: so may be one that a newer version seems to have packed."""
    try:
        stream = STREAMS.get(batch.stream)
        with pa.ipc.open_stream(batch.content) as reader:
            rows = reader.read_all()
        rows.validate(full=True)
        if stream is not None:
            rows = batches.unpack(stream, batch.content)
        elif not newer:
            return False
    except NewerHome:
        return newer
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError):
        return False
    return bool(rows.num_rows == batch.rows)


def salvage(damaged: Path, fresh: Path, readable: Readable) -> Salvaged:
    """Write what is whole in `damaged` and its log to the new file `fresh`, in one transaction.

    Batches keep their sequences: one that the lake has is not counted again. So it does no harm that a page whose
    newest state is lost is read in an older one, which may hold batches that had been deleted.
    """
    log = wal.read(store.beside(damaged, "-wal"), PAGE_BYTES)
    with closing(store.connect(fresh)) as target:
        first_page = _first_page(fresh, target)
        target.execute("BEGIN IMMEDIATE")
        taken = _Taken(target, readable)
        for beyond_damage in (False, True) if log is not None and log.is_broken else (False,):
            copy = fresh.with_name("copy")
            _lay(damaged, log, copy, beyond_damage=beyond_damage)
            _complete(copy, first_page)
            _scan(copy, _BATCHES, taken.batch)
            _scan(copy, _CLAIMS, taken.claim)
            if _is_declared(copy, _INTAKES):  # not in the files of releases before 0.3
                _scan(copy, _INTAKES, taken.intake)
        target.execute("COMMIT")
    return taken.counts


class _Taken:
    """Puts rows into the new file, each once."""

    def __init__(self, target: sqlite3.Connection, readable: Readable) -> None:
        self._target = target
        self._readable = readable
        self.counts = Salvaged()

    def batch(self, row: tuple[Any, ...]) -> None:
        sequence, stream, lane, received_at, rows, content = row
        numbers = all(isinstance(each, int) and each >= 0 for each in (sequence, lane, received_at, rows))
        if not (numbers and lane in _LANES and isinstance(stream, str) and isinstance(content, bytes)):
            return
        if self._readable(StoredBatch(*row)):
            done = self._target.execute("INSERT OR IGNORE INTO batches VALUES (?, ?, ?, ?, ?, ?)", row)
            self.counts.batches += done.rowcount
            self.counts.rows += rows * done.rowcount

    def claim(self, row: tuple[Any, ...]) -> None:
        if isinstance(row[0], str) and isinstance(row[1], bytes):
            self.counts.claims += self._target.execute("INSERT OR IGNORE INTO claims VALUES (?, ?)", row).rowcount

    def intake(self, row: tuple[Any, ...]) -> None:
        texts, numbers = row[2:4], (*row[:2], *row[4:])
        if all(isinstance(each, str) for each in texts) and all(isinstance(n, int) and n >= 0 for n in numbers):
            self._target.execute("INSERT OR IGNORE INTO intake VALUES (?, ?, ?, ?, ?, ?, ?)", row)


def _first_page(fresh: Path, target: sqlite3.Connection) -> bytes:
    """The first page of any buffer file: all are made by the same statements, so it says the same in each."""
    target.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    with fresh.open("rb") as file:
        return file.read(PAGE_BYTES)


def _lay(damaged: Path, log: Log | None, copy: Path, *, beyond_damage: bool) -> None:
    """A copy of the file with the log's pages laid over it, whatever the file itself is like."""
    shutil.copyfile(damaged, copy)
    if log is None:
        return
    frames, size = log.frames(beyond_damage=beyond_damage)
    with log.path.open("rb") as source, copy.open("r+b") as target:
        for page, place in frames:
            if 0 < page <= size:
                source.seek(place)
                target.seek((page - 1) * log.page_bytes)
                target.write(source.read(log.page_bytes))


def _complete(copy: Path, first_page: bytes) -> None:
    """Whole pages, at least those that tables begin on; a first page that SQLite takes, and no log beside it."""
    pages = max(-(-copy.stat().st_size // PAGE_BYTES), _INTAKES.root)
    with copy.open("r+b") as file:
        file.truncate(pages * PAGE_BYTES)
        head = file.read(PAGE_BYTES)
    _put_first_page(copy, head, pages)
    if not (head.startswith(MAGIC) and _has_tables(copy)):
        _put_first_page(copy, first_page, pages)


def _put_first_page(copy: Path, page: bytes, pages: int) -> None:
    changed = bytearray(page)
    changed[18:20] = b"\x01\x01"  # no write-ahead log
    changed[28:32] = pages.to_bytes(4, "big")
    changed[32:40] = bytes(8)  # no list of free pages
    changed[92:96] = changed[24:28]  # the number of pages is to be believed
    with copy.open("r+b") as file:
        file.write(changed)


def _has_tables(copy: Path) -> bool:
    try:
        with closing(_open_copy(copy)) as connection:
            found = set(connection.execute("SELECT name, rootpage FROM sqlite_schema").fetchall())
            for table in (_BATCHES, _CLAIMS):
                connection.execute(f"EXPLAIN {table.row}", (0,)).fetchall()
    except sqlite3.Error:
        return False
    return {(table.name, table.root) for table in (_BATCHES, _CLAIMS)} <= found


def _is_declared(copy: Path, table: _Table) -> bool:
    query = "SELECT 1 FROM sqlite_schema WHERE name = ? AND rootpage = ?"
    with closing(_open_copy(copy)) as connection:
        return connection.execute(query, (table.name, table.root)).fetchone() is not None


def _scan(copy: Path, table: _Table, take: Callable[[tuple[Any, ...]], None]) -> None:
    """The table's rows by its tree. Where that is damaged, by each page that is like a leaf of it, as if it were all."""
    if _read_table(copy, table, take):
        return
    with copy.open("r+b") as file:
        for page in _leaves(copy, table.leaf):
            file.seek((page - 1) * PAGE_BYTES)
            leaf = file.read(PAGE_BYTES)
            file.seek((table.root - 1) * PAGE_BYTES)
            file.write(leaf)
            file.flush()
            _read_table(copy, table, take)


def _leaves(copy: Path, kind: int) -> list[int]:
    found = []
    with copy.open("rb") as file:
        for index in range(1, copy.stat().st_size // PAGE_BYTES):
            file.seek(index * PAGE_BYTES)
            if file.read(1) == bytes((kind,)):
                found.append(index + 1)
    return found


def _read_table(copy: Path, table: _Table, take: Callable[[tuple[Any, ...]], None]) -> bool:
    """Row by row, so that one that cannot be read does not end the rest; False where there was such a one."""
    whole, keys = True, []
    with closing(_open_copy(copy)) as connection:
        try:
            for (key,) in connection.execute(table.keys):
                keys.append(key)
        except sqlite3.Error:
            whole = False
        for key in keys:
            try:
                row = connection.execute(table.row, (key,)).fetchone()
            except sqlite3.Error:
                whole = False
                continue
            if row is not None:
                take(row)
    return whole


def _open_copy(copy: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{copy.absolute().as_uri()}?mode=ro&immutable=1", uri=True, isolation_level=None)
