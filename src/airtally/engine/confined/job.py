"""What a confined process is given, and what it says: frames over a socket."""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
import pyarrow as pa

from airtally.sql.statement import Value
from airtally.storage.lake.snapshot import DataFile

#: Bytes of address space beyond what the process has before it is given a statement.
MEMORY = 1 << 30
#: DuckDB's own limit, below the kernel's: what it does count ends with an error instead of the process.
ENGINE_MEMORY = 512 << 20
THREADS = 2
#: The most that an answer may have; bytes as Arrow holds them.
MAX_ROWS = 100_000
MAX_BYTES = 64 << 20
#: Open files where the lake is in a bucket, as connections are files. For a local lake no more can be opened at all.
BUCKET_FILES = 256

FORK, KILL = b"F", b"K"
#: What the server asks of the zygote: a letter and, to kill, a process id.
REQUEST = struct.Struct(">cq")

_HEAD = struct.Struct(">Q")


@dataclass(frozen=True, slots=True)
class ConfinedFiles:
    """Parquet files as one relation: the rows of `account` in them where it is given, else all."""

    files: tuple[DataFile, ...]
    schema: pa.Schema
    account: str | None = None

    @property
    def on_bucket(self) -> bool:
        """All files of a lake are in a bucket, or none."""
        return any(file.on_bucket for file in self.files)


@dataclass(frozen=True, slots=True)
class ConfinedJob:
    """A checked statement. `sources` are named by what `text` calls them; `seconds` of wall time are left.

    A `streamed` answer may have any number of rows: it is sent while it is made.
    """

    text: str
    parameters: Mapping[str, Value]
    sources: Mapping[str, ConfinedFiles | pa.Table]
    seconds: float
    streamed: bool = False


class ConfinedReply(msgspec.Struct):
    """What a process says: `begun` once it has its job, then what came of it.

    `answer` is followed by the rows as an Arrow stream. `stream` is followed by frames, each an Arrow stream: the first
    without rows, then some rows each; then an empty frame and `end`, or `error` where the statement did not get so far.
    `error` has a code of `errors.py` and the name that it is about. `missing` has the system's words, which are not for
    callers. `ended` comes from the parent of a process that is gone, with the status of `waitpid`.
    """

    kind: str
    code: str = ""
    name: str = ""
    number: int = 0


def send_frame(to: socket.socket, payload: bytes | memoryview) -> None:
    to.sendall(_HEAD.pack(len(payload)))
    to.sendall(payload)


def receive_frame(source: socket.socket, most: int) -> bytes:
    """Raises EOFError at the end, ValueError for a frame of more than `most` bytes."""
    (length,) = _HEAD.unpack(_receive_exactly(source, _HEAD.size))
    if length > most:
        raise ValueError(f"a frame of {length} bytes")
    return _receive_exactly(source, length)


def _receive_exactly(source: socket.socket, length: int) -> bytes:
    found = bytearray(length)
    view, at = memoryview(found), 0
    while at < length:
        count = source.recv_into(view[at:], min(length - at, 1 << 20))
        if not count:
            raise EOFError
        at += count
    return bytes(found)
