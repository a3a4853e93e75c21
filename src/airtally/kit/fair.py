"""Fair scheduling: accounts take turns at slots, memory and worker threads, so that a busy one holds up no other."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Generic, TypeVar

from airtally.kit.departure import check_present, stopped_by_departure

T = TypeVar("T")

#: Whom the current work is for: an account's slug or, before the client is known, its address.
CALLER: ContextVar[str] = ContextVar("caller", default="")

_HELD = threading.local()


class Queue(Generic[T]):
    """Waiting things by key; next is the oldest of the key that was served longest ago. Not thread-safe: guard it."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, deque[T]] = OrderedDict()
        self._size = 0

    def put(self, key: str, thing: T) -> None:
        self._size += 1
        self._waiting.setdefault(key, deque()).append(thing)

    def take(self, allowed: Callable[[str], bool] = lambda _: True) -> tuple[str, T] | None:
        """The next thing and its key; None if no allowed key waits."""
        key = self.next(allowed)
        if key is None:
            return None
        things = self._waiting[key]
        thing = things.popleft()
        self._size -= 1
        self._waiting.move_to_end(key)
        if not things:
            del self._waiting[key]
        return key, thing

    def next(self, allowed: Callable[[str], bool] = lambda _: True) -> str | None:
        """The key whose turn it is."""
        return next((key for key in self._waiting if allowed(key)), None)

    def has_other(self, key: str) -> bool:
        """Whether another key waits."""
        return len(self._waiting) > (key in self._waiting)

    def first(self, key: str) -> T:
        """What is next of a key that waits."""
        return self._waiting[key][0]

    def remove(self, key: str, thing: T) -> bool:
        """Whether it was there."""
        things = self._waiting.get(key)
        if things is None or thing not in things:
            return False
        things.remove(thing)
        self._size -= 1
        if not things:
            del self._waiting[key]
        return True

    def __len__(self) -> int:
        return self._size


class Slots:
    """A semaphore of `count` slots, at most `each` for one key; waiting keys take turns. Thread-safe by one lock.

    A turn lasts until the first `pause` after `turn` seconds of the thread's CPU time, so that short work is done in
    one turn.
    """

    def __init__(self, count: int, *, each: int | None = None, turn: float = 0.0) -> None:
        self._free = count
        self._each = count if each is None else each
        self._turn = turn
        self._lock = threading.Lock()
        self._waiting: Queue[threading.Lock] = Queue()
        self._holders: dict[str, int] = {}
        self._left: set[threading.Lock] = set()  # waits that ended as their clients have left

    @contextmanager
    def held(self, key: str) -> Iterator[None]:
        """Wait for a slot and hold it. Within the block `pause` gives waiting keys their turn."""
        self.acquire(key)
        outer = getattr(_HELD, "slot", None)
        _HELD.slot = (self, key)
        try:
            yield
        finally:
            _HELD.slot = outer
            self.release(key)

    def _allowed(self, key: str) -> bool:
        return self._holders.get(key, 0) < self._each

    def acquire(self, key: str, seconds: float | None = None) -> None:
        """Wait for a slot; prefer `held`.

        With `seconds` it raises TimeoutError if none is free within them, and BadRequest if the client leaves meanwhile.
        """
        with self._lock:
            waits = not self._free or len(self._waiting) > 0 or not self._allowed(key)
            if waits:
                granted = threading.Lock()  # released when granted; an Event costs ten times as much
                granted.acquire()
                self._waiting.put(key, granted)
                self._grant()
            else:
                self._take(key)
        if waits:
            self._wait(key, granted, seconds)
        _HELD.since = time.thread_time()

    def _wait(self, key: str, granted: threading.Lock, seconds: float | None) -> None:
        try:
            if seconds is None:
                granted.acquire()
            else:
                self._wait_for_caller(key, granted, seconds)
        except BaseException:
            self._withdraw(key, granted)
            raise

    def _wait_for_caller(self, key: str, granted: threading.Lock, seconds: float) -> None:
        with stopped_by_departure(lambda: self._wake(key, granted)):
            if not granted.acquire(timeout=seconds):
                raise TimeoutError
        with self._lock:
            left = granted in self._left
            self._left.discard(granted)
        if left:
            check_present()

    def _wake(self, key: str, granted: threading.Lock) -> None:
        """End the wait of a client that has left, without a slot."""
        with self._lock:
            if self._waiting.remove(key, granted):
                self._left.add(granted)
                granted.release()

    def _withdraw(self, key: str, granted: threading.Lock) -> None:
        with self._lock:
            self._waiting.remove(key, granted)
            if granted in self._left:  # as the time ran out the client left
                self._left.discard(granted)
            elif granted.acquire(blocking=False):
                self._give_back(key)

    def release(self, key: str) -> None:
        with self._lock:
            self._give_back(key)

    def _give_back(self, key: str) -> None:
        self._free += 1
        self._holders[key] -= 1
        if not self._holders[key]:
            del self._holders[key]
        self._grant()

    def _grant(self) -> None:
        while self._free and len(self._waiting) and (found := self._waiting.take(self._allowed)) is not None:
            key, granted = found
            self._take(key)
            granted.release()

    def _take(self, key: str) -> None:
        self._free -= 1
        self._holders[key] = self._holders.get(key, 0) + 1

    def pass_on(self, key: str) -> None:
        """Give the slot to other keys that wait, then take it again. Only for its holder."""
        if not self._waiting.has_other(key):  # read without the lock: a turn missed now is taken at the next slice
            return
        if time.thread_time() - _HELD.since >= self._turn:
            self.release(key)
            self.acquire(key)


class Room:
    """A budget of `size` bytes, at most `each` for one key; waiting keys take turns. Thread-safe by one lock.

    Whoever holds some must not ask for more: two holders could wait for each other for ever.
    """

    def __init__(self, size: int, *, each: int) -> None:
        self._free, self._each = size, each
        self._lock = threading.Lock()
        self._waiting: Queue[tuple[int, threading.Event]] = Queue()
        self._holders: dict[str, int] = {}

    @contextmanager
    def held(self, key: str, size: int) -> Iterator[None]:
        """Wait for `size` bytes, giving up the thread's slot meanwhile. More than `each` counts as `each`."""
        size = min(size, self._each)
        waiting = (size, threading.Event())
        with self._lock:
            self._waiting.put(key, waiting)
            self._grant()
        try:
            if not waiting[1].is_set():
                with aside():
                    waiting[1].wait()
            yield
        finally:
            self._leave(key, waiting)

    def _leave(self, key: str, waiting: tuple[int, threading.Event]) -> None:
        with self._lock:
            if waiting[1].is_set():
                self._free += waiting[0]
                self._holders[key] -= waiting[0]
                if not self._holders[key]:
                    del self._holders[key]
            else:
                self._waiting.remove(key, waiting)
            self._grant()

    def _allowed(self, key: str) -> bool:
        return self._holders.get(key, 0) + self._waiting.first(key)[0] <= self._each

    def _grant(self) -> None:
        """Strictly in turn: a large request is not overtaken by smaller ones for ever."""
        while (key := self._waiting.next(self._allowed)) is not None and self._waiting.first(key)[0] <= self._free:
            size, granted = self._waiting.first(key)
            self._waiting.take(self._allowed)
            self._free -= size
            self._holders[key] = self._holders.get(key, 0) + size
            granted.set()


def pause() -> None:
    """Call this between slices of long work: other keys that wait for this thread's slot get their turn."""
    held = getattr(_HELD, "slot", None)
    if held is not None:
        slots, key = held
        slots.pass_on(key)


@contextmanager
def aside() -> Iterator[None]:
    """Give up this thread's slot while the block waits for something else: a lock, a disk, a database.

    Waiting for a lock with a slot in hand would stop all accounts, and for ever if the lock's holder pauses. Within
    the block `pause` does nothing.
    """
    held = getattr(_HELD, "slot", None)
    if held is None:
        yield
        return
    slots, key = held
    _HELD.slot = None
    slots.release(key)
    try:
        yield
    finally:
        slots.acquire(key)
        _HELD.slot = held
