"""The buffers of processes that died, taken over by one that lives."""

from __future__ import annotations

import functools
import sqlite3
from pathlib import Path

import pyarrow as pa
import structlog

from airtally.kit.errors import NewerHome
from airtally.storage.buffer import batches, damage, store
from airtally.storage.buffer.batches import Stamp
from airtally.storage.buffer.salvage import is_readable
from airtally.storage.buffer.store import BufferStore
from airtally.storage.buffer.tail import Chunk, Tail
from airtally.streams import STREAMS

_log = structlog.get_logger()


class AdoptedBuffer:
    """The file of a process that died: readable at once, flushed under its own id, then removed."""

    def __init__(self, file: BufferStore) -> None:
        self.store = file
        self._stamp = Stamp(file.id)
        self.tail = Tail(file.id, self._stamp.column)
        self.size = 0
        try:
            self._read()
        except BaseException:
            file.close()
            raise

    def _read(self) -> None:
        """One process is of one version: a batch that seems newer than others of its stream is damaged instead."""
        known: set[str] = set()
        newer: dict[str, NewerHome] = {}
        for batch in self.store.batches():
            try:
                chunk = decoded(batch, self._stamp)
            except NewerHome as error:
                newer[batch.stream] = error
                continue
            known.add(batch.stream)
            self.size += len(batch.content)
            self.tail.append(batch.stream, batch.lane, chunk)
        for stream, refusal in newer.items():
            raise ValueError(f"a batch is unlike others of its stream: {refusal}") if stream in known else refusal


def decoded(batch: store.StoredBatch, stamp: Stamp) -> Chunk:
    """A batch of a file as a chunk of its tail.

    Raises NewerHome for one that a newer program packed; ValueError and Arrow's errors for one that is damaged.
    """
    stream = STREAMS.get(batch.stream)
    if stream is None:
        raise NewerHome(f"The buffer holds rows of stream {batch.stream}, which this version does not know")
    rows = batches.unpack(stream, batch.content)
    accounts = frozenset(rows.column("account").unique().to_pylist())
    if rows.num_rows != batch.rows:
        raise ValueError(f"batch {batch.sequence} has {rows.num_rows} rows in place of {batch.rows}")
    stored = stamp.stored(stream, rows, batch.received_at_us, batch.sequence)
    return Chunk(stored, batch.sequence, batch.sequence, accounts, len(batch.content), batch.received_at_us)


def take_over(path: Path) -> AdoptedBuffer | None:
    """Open the file of a dead process, recovered first where it is damaged.

    None for the file of a process that lives, and for one of a newer program. Raises sqlite3.Error and OSError where
    it cannot be opened or recovered now, as on a full disk.
    """
    try:
        file = BufferStore.adopt(path, lambda: damage.mend(path, is_readable))
        try:
            return None if file is None else AdoptedBuffer(file)
        except (sqlite3.DatabaseError, pa.ArrowException, OSError, ValueError, KeyError) as error:
            why = " ".join(str(error).split())
            strictly = functools.partial(is_readable, newer=False)
            file = BufferStore.adopt(path, lambda: damage.recover(path, why, strictly))
            return None if file is None else AdoptedBuffer(file)
    except NewerHome as error:
        _log.error("a buffer is left to a newer version", file=str(path), error=str(error))
        return None
