"""A child process of low priority for heavy work (reports, rebuilds, compaction), so that queries stay quick.

Why no library does this: docs/decisions/0020-libraries-not-taken.md.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any, TypeVar, TypeVarTuple

import structlog

from airtally.kit.errors import Unavailable
from airtally.kit.fair import CALLER, Slots
from airtally.kit.idle_timer import IdleTimer

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

log = structlog.get_logger()

NICE = 10


class InProcess:
    """A runner for tests and small tools: calls the function on the caller's thread."""

    def run(self, function: Callable[[*Ts], T], /, *args: *Ts) -> T:
        return function(*args)

    def close(self) -> None:
        """Nothing is open."""


class ChildProcess:
    """One spawned child, started on demand and ended after `idle_seconds`; it runs one call at a time.

    The function must be importable. Arguments and result are pickled and should be small: large results go to a file.
    Callers (`CALLER`) take turns, so that each waits for at most one call of each other. Thread-safe: whoever uses or
    ends the child holds `_turn`.
    """

    def __init__(self, *, idle_seconds: float = 60.0) -> None:
        self._idle = IdleTimer(idle_seconds, self._end_when_idle)
        self._turns = Slots(1)
        self._turn = threading.Lock()  # held by whoever calls or ends the child
        self._child: _Child | None = None
        self._closed = False

    def run(self, function: Callable[[*Ts], T], /, *args: *Ts) -> T:
        """Raises what the function raises, and Unavailable if the child dies or this was closed."""
        with self._turns.held(CALLER.get() or threading.current_thread().name), self._turn:
            self._idle.stop()
            child = self._alive()
            try:
                result: T = child.call(function, args)
            finally:
                self._idle.start()
            return result

    def close(self) -> None:
        """Kill the child; a call in progress raises Unavailable."""
        self._closed = True
        child = self._child
        if child is not None:
            child.kill()
        with self._turn:
            self._idle.stop()
            self._end()

    @property
    def pid(self) -> int | None:
        """Process id of the child, None if there is none."""
        child = self._child
        return child.process.pid if child is not None and child.process.is_alive() else None

    def _alive(self) -> _Child:
        if self._closed:
            raise Unavailable("The server is stopping.")
        if self._child is None or not self._child.process.is_alive():
            self._end()
            self._child = _Child()
        return self._child

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.end()

    def _end_when_idle(self) -> None:
        if not self._turn.acquire(blocking=False):
            return
        try:
            if self._idle.is_due:
                self._end()
        finally:
            self._turn.release()


class _Child:
    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self.process: SpawnProcess = context.Process(target=_serve, args=(theirs,), name="airtally-heavy", daemon=True)
        self.process.start()
        theirs.close()

    def call(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        try:
            self._pipe.send((function, args))
            done, result = self._pipe.recv()
        except (EOFError, ConnectionError):
            self.process.join(5)
            log.warning("heavy_process_died", exit_code=self.process.exitcode)
            raise Unavailable(
                f"The process for heavy work ended before it was done (exit code {self.process.exitcode}).",
                hint="It may have run out of memory; the work is tried again.",
            ) from None
        if not done:
            raise result
        return result

    def kill(self) -> None:
        self.process.kill()

    def end(self) -> None:
        self._pipe.close()
        self.process.join(1)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def _serve(pipe: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for the parent, which ends this child
    os.nice(NICE)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    while True:
        try:
            function, args = pipe.recv()
        except EOFError:
            return
        done, result = _result(function, args)
        try:
            pipe.send((done, result))
        except (TypeError, AttributeError, pickle.PicklingError):
            pipe.send((False, RuntimeError(f"cannot be handed over: {result!r}")))


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _result(function: Callable[..., Any], args: tuple[Any, ...]) -> tuple[bool, Any]:
    try:
        return True, function(*args)
    except BaseException as error:  # noqa: BLE001 (raised again in the parent)
        error.add_note(f"in the process for heavy work:\n{traceback.format_exc()}")
        return False, error
