"""A loop that sends what is due, each in a task of its own, so that a slow receiver delays no other."""

from __future__ import annotations

import asyncio
import itertools
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ClassVar, Generic, Protocol, TypeVar

import structlog

from airtally.jobs.retry_policy import RetryPolicy
from airtally.kit import metrics
from airtally.kit.errors import Failure

_log = structlog.get_logger()
T = TypeVar("T")


class Leased(Protocol):
    """A row under a lease of this process."""

    @property
    def id(self) -> int: ...


Item = TypeVar("Item", bound=Leased)
Outcome = TypeVar("Outcome")

_A_TIME = 100
#: For recording the outcome of a try: 7.5 seconds, well within its lease.
_NOTING = RetryPolicy.ending_after((0.5, 2.0, 5.0))


class SendingLoop(ABC, Generic[Item, Outcome]):
    """Looks for due items every `poll_seconds`, and at once after `wake`. Runs an event loop on its own thread.

    At most `most_at_once` items are under way in the process; each holds a socket and no thread.
    """

    name: ClassVar[str]
    most_at_once: ClassVar[int]

    def __init__(self, *, poll_seconds: float = 1.0) -> None:
        self._poll_seconds = poll_seconds
        self._tasks: dict[int, tuple[Item, asyncio.Task[None]]] = {}
        self._loop = asyncio.new_event_loop()
        self._woken = asyncio.Event()
        self._stopping = False
        self._patience = 0.0
        self._thread = threading.Thread(target=self._run, name=f"airtally-{self.name}", daemon=True)
        self._store = ThreadPoolExecutor(2, f"airtally-{self.name}-store")
        self._names = ThreadPoolExecutor(32, f"airtally-{self.name}-names")

    @abstractmethod
    def claim(self, under_way: Sequence[Item], limit: int) -> list[Item]:
        """Take at most `limit` items that are due, beside those under way. Called on a thread, as the next two are."""

    @abstractmethod
    def settle(self, item: Item, outcome: Outcome) -> None:
        """Record an outcome; does nothing if the lease is lost. Raises Failure to be called again."""

    @abstractmethod
    def release(self, item: Item) -> None:
        """Hand an item back that was not finished, as when the process stops."""

    @abstractmethod
    async def send(self, item: Item) -> Outcome:
        """Send an item. Raises nothing but CancelledError: every failure is an outcome."""

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._woken.set)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def stop(self, timeout: float = 2.0) -> None:
        """Give tries under way `timeout` seconds to end; hand back the others, to be made again."""
        self._patience = timeout
        self._stopping = True
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._woken.set)
            self._thread.join(timeout + 10)
        elif not self._loop.is_closed():
            self._close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.set_default_executor(self._names)
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._close()

    def _close(self) -> None:
        self._store.shutdown(wait=True)
        self._names.shutdown(wait=False, cancel_futures=True)
        self._loop.close()

    async def _serve(self) -> None:
        while not self._stopping:
            self._woken.clear()
            if await self._begin_due() < _A_TIME:
                await self._wait()
        tasks = [task for _, task in self._tasks.values()]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=self._patience)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self._poll_seconds):
                await self._woken.wait()
        except TimeoutError:
            return

    async def _begin_due(self) -> int:
        room = self.most_at_once - len(self._tasks)
        under_way = [item for item, _ in self._tasks.values()]
        try:
            due = await self._call(self.claim, under_way, min(room, _A_TIME)) if room else []
        except Exception as error:  # noqa: BLE001 (counted and logged; the loop goes on)
            metrics.LOOP_FAILURES.labels(self.name).inc()
            _log.exception("background step failed", loop=self.name, error=str(error))
            return 0
        for item in due:
            task = self._loop.create_task(self._make(item))
            self._tasks[item.id] = item, task
            task.add_done_callback(partial(self._ended, item.id))
        return len(due)

    def _ended(self, item_id: int, _: asyncio.Task[None]) -> None:
        del self._tasks[item_id]

    async def _make(self, item: Item) -> None:
        try:
            outcome = await self.send(item)
        except asyncio.CancelledError:
            await self._call(self.release, item)
            raise
        await self._settle(item, outcome)

    async def _settle(self, item: Item, outcome: Outcome) -> None:
        """Record the outcome; where that fails, the try is made again once its lease has ended."""
        for attempt in itertools.count(1):
            try:
                await self._call(self.settle, item, outcome)
            except Failure as failure:
                metrics.LOOP_FAILURES.labels(self.name).inc()
                _log.error("an outcome could not be noted", loop=self.name, id=item.id, error=failure.message)
                wait = _NOTING.wait(attempt)
                if wait is None:
                    return
                await asyncio.sleep(wait)
            else:
                self._woken.set()
                return

    async def _call(self, function: Callable[..., T], *args: object) -> T:
        return await self._loop.run_in_executor(self._store, function, *args)
