"""Iteration one item ahead, on another thread."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator
from typing import TypeVar

T = TypeVar("T")


def prefetch(items: Iterator[T]) -> Generator[T]:
    """Yields the same items; the next one is read on another thread while the caller works.

    Raises what `items` raises.
    """
    ready: queue.Queue[tuple[T] | BaseException | None] = queue.Queue(maxsize=1)
    stopped = threading.Event()

    def put(item: tuple[T] | BaseException | None) -> None:
        while not stopped.is_set():
            try:
                ready.put(item, timeout=0.1)
            except queue.Full:
                continue
            return

    def read() -> None:
        try:
            for item in items:
                put((item,))
                if stopped.is_set():
                    return
        except BaseException as error:  # noqa: BLE001 (raised again on the other thread)
            put(error)
        put(None)

    thread = threading.Thread(target=read, name="airtally-prefetch", daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item[0]
    finally:
        stopped.set()
        thread.join()
