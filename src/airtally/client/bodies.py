"""Where the body of an answer goes: into memory, or into a file."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from typing import BinaryIO, Protocol

from airtally.client.errors import AnswerTimedOut, GarbledAnswer

#: A file may take as long as it comes at this speed, in bytes a second.
_SLOWEST = 1024


class BodySink(Protocol):
    """Takes the body of one answer; of the next try's, if that one was cut."""

    def begin(self, status: int) -> None:
        """The head of an answer is there."""

    def add(self, piece: bytes) -> None:
        """Raises AirtallyError where a limit is passed."""

    def end(self) -> bytes:
        """What the answer's `body` is to be."""


class InMemory:
    """Bodies of `most` bytes that come within `seconds`."""

    def __init__(self, most: int, seconds: float) -> None:
        self._most, self._seconds = most, seconds
        self._pieces: list[bytes] = []
        self._size, self._deadline = 0, 0.0

    def begin(self, status: int) -> None:  # noqa: ARG002 (any)
        self._pieces, self._size = [], 0
        self._deadline = time.monotonic() + self._seconds

    def add(self, piece: bytes) -> None:
        """Raises GarbledAnswer if the body is too large, AnswerTimedOut if it takes too long."""
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size > self._most:
            raise GarbledAnswer(f"The answer is larger than {self._most} bytes")
        if time.monotonic() > self._deadline:
            raise AnswerTimedOut("The answer takes longer than the timeout")

    def end(self) -> bytes:
        return b"".join(self._pieces)


class IntoFile:
    """A body as a file, which is there under its name only when it is whole. Other answers than 200 go into memory."""

    def __init__(self, path: Path, size: int, sha256: str, seconds: float) -> None:
        self._path, self._size, self._sha256, self._seconds = path, size, sha256, seconds
        self._memory = InMemory(1 << 20, seconds)
        self._file: BinaryIO | None = None

    @property
    def is_there(self) -> bool:
        """Whether the whole file is there already."""
        if not self._path.is_file() or self._path.stat().st_size != self._size:
            return False
        with self._path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == self._sha256

    def begin(self, status: int) -> None:
        self.close()
        self._memory.begin(status)
        if status == 200:
            self._began, self._written, self._digest = time.monotonic(), 0, hashlib.sha256()
            self._file = self._making.open("wb")

    def add(self, piece: bytes) -> None:
        if self._file is None:
            self._memory.add(piece)
            return
        self._written += len(piece)
        if self._written > self._size:
            raise GarbledAnswer(f"The file is larger than the {self._size} bytes that it should have")
        passed = time.monotonic() - self._began
        if passed > self._seconds and self._written < passed * _SLOWEST:
            raise AnswerTimedOut("The file comes too slowly")
        self._digest.update(piece)
        self._file.write(piece)

    def end(self) -> bytes:
        """Raises GarbledAnswer for a file that is not as it should be."""
        if self._file is None:
            return self._memory.end()
        self._file.flush()
        os.fsync(self._file.fileno())
        self.close()
        if (self._written, self._digest.hexdigest()) != (self._size, self._sha256):
            raise GarbledAnswer(f"{self._path.name} is not the file that it should be")
        self._making.replace(self._path)
        return b""

    def give_up(self) -> None:
        """Remove what there is of a file that is not whole."""
        self.close()
        self._making.unlink(missing_ok=True)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    @property
    def _making(self) -> Path:
        return self._path.with_name(f"{self._path.name}.making")
