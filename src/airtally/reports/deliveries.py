"""Sends what is due, each try on its own, so that a slow receiver delays nobody."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import structlog

from airtally.jobs.retry_policy import RetryPolicy
from airtally.kit import metrics
from airtally.kit.errors import Failure
from airtally.kit.outgoing import Outgoing, OutgoingFailed
from airtally.reports.outbox import Deliveries, Delivery

_log = structlog.get_logger()
T = TypeVar("T")

#: Tries under way at once in one process; a hanging one costs a socket and no thread.
MOST_AT_ONCE = 500
#: Of one account, whose receiver may hang until each has its time.
MOST_EACH = 100
_A_TIME = 100
_HEADERS = {"Content-Type": "application/json"}
#: For noting what came of a try; well within its lease.
_NOTING = RetryPolicy.ending_after((0.5, 2.0, 5.0))


class DeliveryLoop:
    """Looks for due tries every `poll_seconds`, and at once after `wake`. Lives on a thread of its own."""

    name = "deliveries"

    def __init__(self, deliveries: Deliveries, outgoing: Outgoing, *, poll_seconds: float = 1.0) -> None:
        self._deliveries = deliveries
        self._outgoing = outgoing
        self._poll_seconds = poll_seconds
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._accounts: dict[int, int] = {}  # of the tries under way
        self._loop = asyncio.new_event_loop()
        self._woken = asyncio.Event()
        self._stopping = False
        self._patience = 0.0
        self._thread = threading.Thread(target=self._run, name="airtally-deliveries", daemon=True)
        self._store = ThreadPoolExecutor(2, "airtally-deliveries-store")
        self._names = ThreadPoolExecutor(32, "airtally-deliveries-names")

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._woken.set)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def stop(self, timeout: float = 2.0) -> None:
        """Tries under way get `timeout` seconds; the others are handed back, to be made again."""
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
        tasks = list(self._tasks.values())
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
        room = MOST_AT_ONCE - len(self._tasks)
        try:
            due = await self._call(self._claim, min(room, _A_TIME)) if room else []
        except Exception as error:  # noqa: BLE001 (counted and logged; the loop goes on)
            metrics.LOOP_FAILURES.labels(self.name).inc()
            _log.exception("background step failed", loop=self.name, error=str(error))
            return 0
        for delivery in due:
            task = self._loop.create_task(self._make(delivery))
            self._tasks[delivery.id], self._accounts[delivery.id] = task, delivery.account_id
            task.add_done_callback(partial(self._ended, delivery.id))
        return len(due)

    def _claim(self, limit: int) -> list[Delivery]:
        return self._deliveries.claim_due(dict(self._accounts), limit, MOST_EACH)

    def _ended(self, delivery_id: int, _: asyncio.Task[None]) -> None:
        del self._tasks[delivery_id], self._accounts[delivery_id]

    async def _make(self, delivery: Delivery) -> None:
        try:
            status, error = await self._send(delivery)
        except asyncio.CancelledError:
            await self._call(self._deliveries.release, delivery)
            raise
        _log.info(
            "webhook tried",
            delivery=delivery.id,
            report=delivery.report_id,
            attempt=delivery.attempt,
            status=status,
            error=error,
        )
        await self._settle(delivery, status, error)

    async def _send(self, delivery: Delivery) -> tuple[int | None, str | None]:
        try:
            reply = await self._outgoing.post(delivery.url, delivery.payload.encode(), _HEADERS)
        except OutgoingFailed as failure:
            return None, failure.message
        except Exception as error:  # noqa: BLE001 (whatever a receiver makes a library raise, the try is over)
            _log.exception("webhook failed unexpectedly", delivery=delivery.id)
            return None, f"The try failed: {type(error).__name__}"
        return reply.status, None

    async def _settle(self, delivery: Delivery, status: int | None, error: str | None) -> None:
        """What came of a try must be noted, or it would be made again after its lease."""
        for attempt in itertools.count(1):
            try:
                await self._call(self._deliveries.settle, delivery, status, error)
            except Failure as failure:
                metrics.LOOP_FAILURES.labels(self.name).inc()
                _log.error("a webhook's outcome could not be noted", delivery=delivery.id, error=failure.message)
                wait = _NOTING.wait(attempt)
                if wait is None:
                    return
                await asyncio.sleep(wait)
            else:
                self._woken.set()
                return

    async def _call(self, function: Callable[..., T], *args: object) -> T:
        return await self._loop.run_in_executor(self._store, function, *args)
