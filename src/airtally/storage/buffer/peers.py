"""The buffers of other processes on this host, read only."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pyarrow as pa
import structlog

from airtally.kit.errors import Unavailable
from airtally.storage.buffer.adopted import decoded
from airtally.storage.buffer.batches import Stamp
from airtally.storage.buffer.damage import is_of_the_file
from airtally.storage.buffer.store import SUFFIX, StoredBatch, beside
from airtally.storage.buffer.tail import Tail, TailPart
from airtally.streams.declaration import Stream

_log = structlog.get_logger()


class _Peer:
    """Follows one file: each read fetches what is new and ends its transaction."""

    def __init__(self, path: Path) -> None:
        self._file = path.stat().st_ino
        self._connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False, timeout=5
        )
        self._stamp = Stamp(path.stem)
        self.tail = Tail(path.stem, self._stamp.column)
        self._seen = 0
        self._data_version = -1

    def is_of(self, path: Path) -> bool:
        """Whether the file is still the one that was opened, not what was recovered of it."""
        return path.stat().st_ino == self._file

    def follow(self) -> None:
        changed = self._connection.execute("PRAGMA data_version").fetchone()[0]
        if changed == self._data_version:
            return
        query = "SELECT sequence, stream, lane, received_at, rows, content FROM batches WHERE sequence > ? ORDER BY 1"
        for row in self._connection.execute(query, (self._seen,)).fetchall():
            batch = StoredBatch(*row)
            self.tail.append(batch.stream, batch.lane, decoded(batch, self._stamp))
            self._seen = batch.sequence
        self._data_version = changed

    def close(self) -> None:
        self._connection.close()


class PeerTails:
    """Rows acknowledged by other living processes, and by dead ones that nobody has adopted yet.

    Thread-safe: one lock, held while the files are read.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._peers: dict[str, _Peer] = {}
        self._unreadable: dict[str, str] = {}
        self._present: frozenset[str] = frozenset()

    def tail(self, stream: Stream, own: tuple[str, ...]) -> list[TailPart]:
        """Their rows of a stream; `own` names the buffers this process holds itself."""
        with self._lock:
            found = {path.stem: path for path in self._folder.glob(f"*{SUFFIX}") if path.stem not in own}
            for gone in (self._peers.keys() | self._unreadable.keys()) - found.keys():
                self._forget(gone)
            for buffer_id, path in found.items():
                self._follow(buffer_id, path)
            self._present = frozenset(found)
            return [part for peer in self._peers.values() for part in peer.tail.parts(stream.name)]

    @property
    def present(self) -> frozenset[str]:
        """The ids of the buffers that were there when they were last read."""
        return self._present

    def drop(self, stream: Stream, part: TailPart, through: int) -> None:
        """Forget what the lake is known to have."""
        with self._lock:
            peer = self._peers.get(part.buffer_id)
            if peer is not None:
                peer.tail.drop(stream.name, part.lane, through)

    def close(self) -> None:
        with self._lock:
            for peer in self._peers.values():
                peer.close()
            self._peers.clear()

    def unreadable(self) -> list[str]:
        """The damaged ones: rows that they alone hold are in no answer until their process flushes them, or has died
        and they are recovered.
        """
        with self._lock:
            return list(self._unreadable.values())

    def _follow(self, buffer_id: str, path: Path) -> None:
        try:
            if _has_only_its_log(path):
                raise sqlite3.DatabaseError("its main file is empty")
            if buffer_id in self._peers and not self._peers[buffer_id].is_of(path):
                self._peers.pop(buffer_id).close()
            if buffer_id not in self._peers:
                self._peers[buffer_id] = _Peer(path)
            self._peers[buffer_id].follow()
        except FileNotFoundError:
            self._forget(buffer_id)
        except (sqlite3.Error, pa.ArrowException, OSError, ValueError, KeyError) as error:
            self._judge(buffer_id, path, error)
        else:
            self._unreadable.pop(buffer_id, None)

    def _judge(self, buffer_id: str, path: Path, error: Exception) -> None:
        """A damaged file must not keep everybody from an answer: what was read of it before still counts.

        One that is in use or out of reach may be read the next time: better no answer than one without its rows.
        """
        if not path.exists() or "no such table" in str(error):
            self._forget(buffer_id)
        elif isinstance(error, sqlite3.Error) and not is_of_the_file(error):
            raise Unavailable(f"The buffer {path.name} of another process cannot be read now: {error}") from error
        elif buffer_id not in self._unreadable:
            why = " ".join(str(error).split())
            self._unreadable[buffer_id] = (
                f"the buffer {path} of another process is damaged ({why}): rows may be missing"
            )
            _log.error("a buffer of another process is damaged", file=str(path), error=why)

    def _forget(self, buffer_id: str) -> None:
        self._unreadable.pop(buffer_id, None)
        peer = self._peers.pop(buffer_id, None)
        if peer is not None:
            peer.close()


def _has_only_its_log(path: Path) -> bool:
    """SQLite would delete the log of an empty file, also where it may only read."""
    log = beside(path, "-wal")
    return path.stat().st_size <= 1 and log.exists() and log.stat().st_size > 0  # one byte it takes for its own
