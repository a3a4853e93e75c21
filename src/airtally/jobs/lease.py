"""Keeps a job while it is worked on."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

import structlog

from airtally.jobs.leased_table import LeaseLost
from airtally.jobs.queue import Job, Jobs
from airtally.kit.errors import Failure

_log = structlog.get_logger()


class KeptLease:
    """Renews a job's lease from a thread, for as long as the block runs."""

    def __init__(self, jobs: Jobs, job: Job, *, lease_seconds: float, every_seconds: float) -> None:
        self._jobs = jobs
        self._job = job
        self._lease_seconds = lease_seconds
        self._every_seconds = every_seconds
        self._ended = threading.Event()
        self._lost = threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"airtally-lease-{job.id}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def check(self) -> None:
        """Raises LeaseLost: what is left to do is another worker's."""
        if self._lost.is_set():
            raise LeaseLost(f"Job {self._job.id} was taken over")

    def _keep(self) -> None:
        while not self._ended.wait(self._every_seconds):
            try:
                self._jobs.renew(self._job, self._lease_seconds)
            except LeaseLost:
                self._lost.set()
                return
            except Failure as failure:
                _log.warning("a lease could not be renewed", job=self._job.id, error=failure.message)
