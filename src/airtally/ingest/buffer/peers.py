"""The buffers of other processes on this machine, read only."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import structlog

from airtally.ingest.buffer.batches import Stamp
from airtally.ingest.buffer.buffer import decoded
from airtally.ingest.buffer.store import SUFFIX, StoredBatch
from airtally.ingest.buffer.tail import Tail, TailPart
from airtally.streams.declaration import Stream

_log = structlog.get_logger()


class _Peer:
    """Follows one file: each read fetches what is new and ends its transaction."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False, timeout=5
        )
        self._stamp = Stamp(path.stem)
        self.tail = Tail(path.stem, self._stamp.column)
        self._seen = 0
        self._data_version = -1

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
    """Rows acknowledged by other living processes, and by dead ones that nobody has adopted yet."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._peers: dict[str, _Peer] = {}

    def tail(self, stream: Stream, own: tuple[str, ...]) -> list[TailPart]:
        """Their rows of a stream; `own` names the buffers this process holds itself."""
        with self._lock:
            found = {path.stem: path for path in self._folder.glob(f"*{SUFFIX}") if path.stem not in own}
            for gone in self._peers.keys() - found.keys():
                self._peers.pop(gone).close()
            for buffer_id, path in found.items():
                self._follow(buffer_id, path)
            return [part for peer in self._peers.values() for part in peer.tail.parts(stream.name)]

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

    def _follow(self, buffer_id: str, path: Path) -> None:
        try:
            if buffer_id not in self._peers:
                self._peers[buffer_id] = _Peer(path)
            self._peers[buffer_id].follow()
        except sqlite3.OperationalError as error:
            peer = self._peers.pop(buffer_id, None)
            if peer is not None:
                peer.close()
            if path.exists() and "no such table" not in str(error):
                raise
