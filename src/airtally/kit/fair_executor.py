"""An executor whose callers take turns, and the threads that requests run on."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextvars import copy_context
from functools import partial
from typing import Any, TypeVar

from airtally.kit.fair import CALLER, Queue

T = TypeVar("T")


class FairExecutor(Executor):
    """Worker threads for many callers (`CALLER`), who take turns; at most `each` threads work for one of them.

    Threads are started as they are needed, up to `threads`. Thread-safe by one lock.
    """

    def __init__(self, threads: int, *, each: int, name: str) -> None:
        self._threads, self._each, self._name = threads, each, name
        self._lock = threading.Lock()
        self._signals: queue.SimpleQueue[None] = (
            queue.SimpleQueue()
        )  # wakes a thread that does not then wait for our lock
        self._waiting: Queue[tuple[Future[Any], Callable[[], Any]]] = Queue()
        self._working: dict[str, int] = {}
        self._made: list[threading.Thread] = []
        self._idle = 0
        self._closed = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Queue a call for the caller of this context. Raises RuntimeError once shut down."""
        future: Future[Any] = Future()
        key = CALLER.get()
        with self._lock:
            if self._closed:
                raise RuntimeError("no new calls are taken after the close")
            self._waiting.put(key, (future, lambda: fn(*args, **kwargs)))
            if self._allowed(key):  # else a thread that already works for the key will take it
                if len(self._waiting) > self._idle and len(self._made) < self._threads:
                    self._start()
                self._signals.put(None)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 (as inherited)
        with self._lock:
            self._closed = True
            while cancel_futures and (found := self._waiting.take()) is not None:
                found[1][0].cancel()
            for _ in self._made:
                self._signals.put(None)
        if wait:
            for thread in self._made:
                thread.join()

    def _start(self) -> None:
        thread = threading.Thread(target=self._work, name=f"{self._name}-{len(self._made)}", daemon=True)
        self._made.append(thread)
        self._idle += 1
        thread.start()

    def _allowed(self, key: str) -> bool:
        return self._working.get(key, 0) < self._each

    def _work(self) -> None:
        while True:
            self._signals.get()
            with self._lock:
                found = self._next()
            while found is not None:
                key, (future, call) = found
                if future.set_running_or_notify_cancel():
                    _fulfil(future, call)
                del future, call  # an idle thread keeps nothing alive
                found = self._next_after(key)
            with self._lock:  # checked after calls too: other threads may have used up the shutdown's signals
                if self._closed and not len(self._waiting):
                    self._signals.put(None)  # wake the next one to end
                    return

    def _next(self) -> tuple[str, tuple[Future[Any], Callable[[], Any]]] | None:
        found = self._waiting.take(self._allowed)
        if found is not None:
            self._working[found[0]] = self._working.get(found[0], 0) + 1
            self._idle -= 1
        return found

    def _next_after(self, key: str) -> tuple[str, tuple[Future[Any], Callable[[], Any]]] | None:
        with self._lock:
            self._working[key] -= 1
            if not self._working[key]:
                del self._working[key]
            self._idle += 1
            return self._next()


def _fulfil(future: Future[Any], call: Callable[[], Any]) -> None:
    try:
        result = call()
    except BaseException as error:  # noqa: BLE001 (raised again where it is awaited)
        future.set_exception(error)
    else:
        future.set_result(result)


#: For all blocking calls of requests. One for the process: asyncio's own executor has 6 threads on two cores.
THREADS = FairExecutor(32, each=6, name="airtally-request")


async def in_thread(fn: Callable[..., T], /, *args: Any) -> T:
    """Call `fn` on a worker thread, in the current context and for its caller."""
    call = partial(copy_context().run, fn, *args)
    return await asyncio.get_running_loop().run_in_executor(THREADS, call)
