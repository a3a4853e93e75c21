"""Which of several processes on one socket takes the next connection: the one that has the fewest.

Without it the one that wakes first takes most: of eight connections that a client opens at once, often seven.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path
from typing import Protocol

_COUNT = struct.Struct("<q")


class Turns(Protocol):
    """Asked before each connection."""

    def waits(self, connections: int) -> bool:
        """Whether another process has fewer than these, so that this one leaves it a moment to be first."""
        ...


class Alone:
    """The only process never waits."""

    def waits(self, connections: int) -> bool:  # noqa: ARG002 (as `Turns` has it)
        return False


class TurnsOfWorkers:
    """Each process writes its number of connections into a word of a file that all map. For one thread.

    The word of one that died stays; the others then wait a moment before each connection until it is started again.
    """

    def __init__(self, path: Path, number: int, count: int) -> None:
        """`path` has been made by `make_turns`; `number` counts from 1."""
        self._own, self._count = number - 1, count
        with path.open("r+b") as file:
            self._words = mmap.mmap(file.fileno(), count * _COUNT.size)
        self._write(0)

    def waits(self, connections: int) -> bool:
        self._write(connections)
        numbers: list[int] = [_COUNT.unpack_from(self._words, place * _COUNT.size)[0] for place in range(self._count)]
        return min(numbers) < connections

    def _write(self, connections: int) -> None:
        start = self._own * _COUNT.size
        self._words[start : start + _COUNT.size] = _COUNT.pack(connections)


def make_turns(path: Path, count: int) -> None:
    """By the parent, before a worker starts. The file has no holes: a full disk must be no signal later."""
    path.write_bytes(bytes(count * _COUNT.size))
