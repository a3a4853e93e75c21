"""Checks of a server that runs: all at once, each within its time, so that one that hangs does not keep the answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotEnded

from airtally.doctor.checks import SERVER_CHECKS, Check, examined
from airtally.doctor.finding import Finding, broken
from airtally.doctor.premises import Premises

SECONDS = 10.0


class Doctor:
    """Each check runs on a thread of its own, once at a time: whoever asks meanwhile gets the same finding.

    Thread-safe by a lock, which is held only to begin.
    """

    def __init__(
        self, premises: Premises, checks: Mapping[str, Check] = SERVER_CHECKS, *, seconds: float = SECONDS
    ) -> None:
        self._premises = premises
        self._checks = checks
        self._seconds = seconds
        self._lock = threading.Lock()
        self._running: dict[str, Future[Finding]] = {}

    def findings(self) -> list[Finding]:
        """In the order of the checks. Takes at most `seconds`."""
        until = time.monotonic() + self._seconds
        begun = {about: self._begin(about, check) for about, check in self._checks.items()}
        return [self._ended(about, future, until) for about, future in begun.items()]

    def _begin(self, about: str, check: Check) -> Future[Finding]:
        with self._lock:
            running = self._running.get(about)
            if running is not None and not running.done():
                return running
            future: Future[Finding] = Future()
            thread = threading.Thread(
                target=lambda: future.set_result(examined(about, check, self._premises)),
                name=f"airtally-doctor-{about}",
                daemon=True,
            )
            try:
                thread.start()
            except RuntimeError as error:  # no thread is to be had
                future.set_result(broken(about, f"not looked at: {error}", "see how many threads the process may have"))
            self._running[about] = future
            return future

    def _ended(self, about: str, future: Future[Finding], until: float) -> Finding:
        try:
            return future.result(max(0.0, until - time.monotonic()))
        except NotEnded:
            return broken(
                about,
                f"the check has not ended within {self._seconds:g} seconds",
                "ask again: it goes on. `airtally doctor` on the machine waits for it",
            )
