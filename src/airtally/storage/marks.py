"""Marks of change: by some words of shared memory a process knows that nobody has committed since it last looked.

The file `marks` of a home holds 64-bit words, one for each process that writes. A process makes its own odd before a
commit to its buffer or to the lake, and even again, and higher than before, after it and before anyone is told of it.
Who reads the words, then looks at buffers and log, and later finds the same words, all even, need not look again. A word
whose process died within a commit stays odd, so that everybody looks, until another process finds its slot free.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import threading
import time
from collections.abc import Collection, Hashable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import structlog

from airtally.kit.durable import create_file

_MAGIC: Final = b"airtally marks 1"
#: Slot 0 is shared by the processes that found no other; its word is odd as long as there are any.
SLOTS: Final = 128
WORDS_AT: Final = 64
_OWNERS_AT: Final = WORDS_AT + 8 * SLOTS
_OWNER_BYTES: Final = 16
SIZE: Final = _OWNERS_AT + _OWNER_BYTES * SLOTS
_WORD = struct.Struct("<q")
#: `struct flock` of Linux on 64-bit machines, and its locks of an open file: of another one in the same process, too.
_FLOCK = struct.Struct("=hhxxxxqqixxxx")
_OFD_SETLK: Final = 37
#: What was looked at counts for so long at most: after that, what other programs did to the lake shows too.
_SECONDS: Final = 1.0

_log = structlog.get_logger()


class Marks:
    """The words of one home, as one process sees them; without a `path` there are none, and every reader looks.

    Thread-safe: a lock guards this process's slot and its own word. What cannot be made, mapped or locked is not used:
    then words stay odd, or readers have none, and look.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._descriptor: int | None = None
        self._words: mmap.mmap | None = None
        self._slot: int | None = None
        self._owner = ""
        self._under_way = 0
        self._strangers = False

    @classmethod
    def of_home(cls, home: Path, database_url: str, lake_url: str) -> Marks:
        """None for a lake that several homes share, or on a bucket: others' commits would not be marked here."""
        alone = database_url.startswith("sqlite") and "://" not in lake_url
        return cls(home / "marks" if alone else None)

    def join(self, owner: str = "") -> None:
        """Take a slot, in which `owner`, the id of this process's buffer, shows that its commits are marked."""
        self._owner = owner
        with self._lock, suppress(OSError, ValueError):
            self._take_slot()
            self._note_owner()
        self.mend()

    def token(self) -> Hashable | None:
        """Equal as long as nobody has committed; None where that cannot be told. Take it before you look."""
        words = self._words
        if words is None or self._slot is None or self._strangers:  # without a slot our own commits would not show
            return None
        return words[WORDS_AT:_OWNERS_AT], int(time.monotonic() / _SECONDS)

    @staticmethod
    def settled(token: Hashable | None) -> bool:
        """Whether what is seen after `token` was taken may be remembered: nobody was within a commit."""
        return isinstance(token, tuple) and not any(number & 1 for number in token[0][::8])

    def note_owners(self, buffers: Collection[str]) -> None:
        """Told the ids of others' buffers: no token is given while one is of a process that marks nothing.

        Those are of an earlier release, or of a process that died.
        """
        words = self._words
        if words is not None and buffers:
            at = range(_OWNERS_AT, SIZE, _OWNER_BYTES)
            self._strangers = not {words[each : each + _OWNER_BYTES].hex() for each in at}.issuperset(buffers)
        else:
            self._strangers = False

    @contextmanager
    def committing(self) -> Iterator[None]:
        """Around a commit: from before it can be seen until after it, and before anyone is told of it.

        Raises OSError, before anything is done, where the word cannot be written.
        """
        if self._path is None:
            yield
            return
        self._begin()
        try:
            yield
        finally:
            self._end()

    def mend(self) -> None:
        """Make the words of dead processes even: what they committed shows to whoever looks from now on."""
        words = self._words
        odd = [] if words is None else [slot for slot in range(SLOTS) if words[WORDS_AT + 8 * slot] & 1]
        for slot in odd:
            with self._lock, suppress(OSError):
                if self._descriptor is not None and slot != self._slot and self._lock_slot(slot):
                    if self._read(slot) & 1:
                        self._write(slot, self._read(slot) + 1)
                    self._set_lock(slot, fcntl.F_UNLCK)

    def close(self) -> None:
        with self._lock:
            self._path = None
            self._detach()

    def _begin(self) -> None:
        with self._lock:
            with suppress(OSError, ValueError):
                self._take_slot()
            if self._slot:
                self._write(self._slot, self._read(self._slot) | 1)
            self._under_way += 1

    def _end(self) -> None:
        """A word that cannot be written now stays odd, and everybody looks."""
        with self._lock, suppress(OSError, ValueError):
            self._under_way -= 1
            self._take_slot()  # another process may have made the file meanwhile
            if self._slot:
                odd = self._read(self._slot) | 1
                self._write(self._slot, odd + (2 if self._under_way else 1))

    # What follows expects the lock to be held.

    def _take_slot(self) -> None:
        """Raises OSError, and ValueError for the file of another version."""
        if self._descriptor is not None and not os.fstat(self._descriptor).st_nlink:
            self._detach()
        self._attach()
        if self._descriptor is None or self._slot is not None:
            return
        self._slot = next((slot for slot in range(1, SLOTS) if self._lock_slot(slot)), 0)
        if self._slot:
            self._note_owner()
        else:
            _log.warning("more processes than slots: every answer looks at all buffers", file=str(self._path))
            self._set_lock(0, fcntl.F_RDLCK)
            self._write(0, self._read(0) | 1)

    def _note_owner(self) -> None:
        if self._descriptor is not None and self._slot:
            owner = bytes.fromhex(self._owner).ljust(_OWNER_BYTES, b"\0")
            os.pwrite(self._descriptor, owner, _OWNERS_AT + _OWNER_BYTES * self._slot)

    def _attach(self) -> None:
        if self._descriptor is not None or self._path is None:
            return
        if not self._path.exists():
            create_file(self._path, _MAGIC.ljust(SIZE, b"\0"))
        descriptor = os.open(self._path, os.O_RDWR)
        try:
            if os.pread(descriptor, len(_MAGIC), 0) != _MAGIC or os.fstat(descriptor).st_size != SIZE:
                raise ValueError("marks of another version")
            self._words = mmap.mmap(descriptor, SIZE, mmap.MAP_SHARED, mmap.PROT_READ)
        finally:
            if self._words is None:
                os.close(descriptor)
        self._descriptor = descriptor

    def _detach(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor = self._slot = self._words = None

    def _read(self, slot: int) -> int:
        assert self._descriptor is not None  # noqa: S101 (attached)
        number: int = _WORD.unpack(os.pread(self._descriptor, 8, WORDS_AT + 8 * slot))[0]
        return number

    def _write(self, slot: int, number: int) -> None:
        assert self._descriptor is not None  # noqa: S101 (attached)
        os.pwrite(self._descriptor, _WORD.pack(number), WORDS_AT + 8 * slot)

    def _lock_slot(self, slot: int) -> bool:
        """The system gives it back when the process ends, however that ends."""
        return self._set_lock(slot, fcntl.F_WRLCK)

    def _set_lock(self, slot: int, kind: int) -> bool:
        assert self._descriptor is not None  # noqa: S101 (attached)
        try:
            fcntl.fcntl(self._descriptor, _OFD_SETLK, _FLOCK.pack(kind, os.SEEK_SET, slot, 1, 0))
        except BlockingIOError:
            return False
        return True


NO_MARKS = Marks()
