"""Runs statements in confined processes, a few at once, each in a fresh one that was made ready before."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.context import SpawnProcess
from typing import TypeVar

import msgspec
import pyarrow as pa
import structlog

from airtally.engine.confined.forked import (
    MAX_REPLY,
    ConfinedStream,
    ForkedProcess,
    NotBegun,
    UnexpectedReply,
    read_answer,
)
from airtally.engine.confined.job import (
    FORK,
    KILL,
    REQUEST,
    ConfinedJob,
    ConfinedReply,
    receive_frame,
)
from airtally.engine.limits import TimeLimit
from airtally.kit.departure import check_present, stopped_by_departure
from airtally.kit.errors import TooManyRequests, Unavailable
from airtally.kit.fair import Slots, aside
from airtally.kit.idle_timer import IdleTimer

T = TypeVar("T")

log = structlog.get_logger()

#: Statements that run at once for one account, and for all: no more than half the cores for one. Of all there are more
#: than cores, so that a short one need not wait for long ones to end.
CORES = max(2, os.cpu_count() or 1)
EACH, ALL = max(1, CORES // 2), min(16, max(8, 2 * CORES))
#: Statements of an account that wait for one that runs.
WAITING = 2
#: Statements that run or wait, of all accounts: each holds one of the server's 32 threads, and others need some too.
#: The last few places are for accounts that have none.
INSIDE, KEPT_FREE = 20, 6
#: After so long a statement gets what processor time all others leave.
SHORT_SECONDS = 1.0
#: Processes that wait, ready, for the next statement.
WARM = 2
#: How long after its deadline a process may take to be gone before it is killed from here.
GRACE_SECONDS = 1.0
#: Without a statement for so long, the processes that wait are ended.
IDLE_SECONDS = 900.0
#: How it shows that a process has gone in the midst of what it said.
_BROKEN = (EOFError, ValueError, OSError, msgspec.DecodeError, pa.ArrowException)
_BY_TIME = {signal.SIGALRM, signal.SIGXCPU}


class ConfinedFailure(Exception):
    """A statement ended with an error: a code of `errors.py`, or `time`, and a name from the engine's text."""

    def __init__(self, code: str, name: str = "") -> None:
        super().__init__(code)
        self.code, self.name = code, name


class SourceMissing(Exception):
    """A file could not be opened; the text is the system's, and not for callers."""


@dataclass(frozen=True, slots=True)
class ConfinedAnswer:
    """`batches` can be read once, and only before the end of the statement's `with` block."""

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]


class ConfinedRunner:
    """Thread-safe: `_lock` guards the process that forks and those that wait."""

    def __init__(self, *, idle_seconds: float = IDLE_SECONDS) -> None:
        self._slots = Slots(ALL, each=EACH)
        self._inside: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._idle = IdleTimer(idle_seconds, self._end_when_idle)
        self._zygote: SpawnProcess | None = None
        self._control: socket.socket | None = None
        self._warm: list[ForkedProcess] = []
        self._closed = False

    def run(self, account: str, seconds: float, job: Callable[[float], ConfinedJob]) -> pa.Table:
        """The rows of the job that `job` makes for the seconds that are left; waiting for a turn counts.

        Raises ConfinedFailure, SourceMissing, TooManyRequests where no turn comes, and Unavailable after `close`.
        """
        with self._queued(account):
            begun = time.monotonic()
            try:
                self._slots.acquire(account, seconds)
            except TimeoutError:
                raise TooManyRequests(f"Other statements ran for all of the {seconds:g} s that this one had") from None
            try:
                with aside():
                    made = job(seconds - (time.monotonic() - begun))
                    return self._run(made)
            finally:
                self._slots.release(account)
                self._refill_aside()

    @contextmanager
    def streamed(self, job: ConfinedJob, while_waiting: Callable[[], None]) -> Iterator[ConfinedAnswer]:
        """The answer to a job that is streamed, with what processor time all others leave.

        It waits for no turn. While nothing comes, `while_waiting` is called each second; what it raises ends the
        statement. Raises ConfinedFailure and SourceMissing, also while the batches are read, and Unavailable.
        """
        process, until = self._begun(job), time.monotonic() + job.seconds
        stream = ConfinedStream(process, until + GRACE_SECONDS, while_waiting)
        try:
            process.give_way()
            yield ConfinedAnswer(self._told(stream.schema, until), self._batches(stream, until))
        finally:
            process.channel.close()
            self._kill(process.pid)
            self._refill_aside()

    def _batches(self, stream: ConfinedStream, until: float) -> Iterator[pa.RecordBatch]:
        while (batches := self._told(stream.next_batches, until)) is not None:
            yield from batches

    def _told(self, read: Callable[[], T], until: float) -> T:
        """What a process says. Raises what ended it instead."""
        try:
            return read()
        except UnexpectedReply as found:
            reply = found.reply
        except _BROKEN:
            reply = ConfinedReply("ended")
        raise self._failure_of(reply, until)

    @contextmanager
    def _queued(self, account: str) -> Iterator[None]:
        """Raises TooManyRequests for one more than may wait of an account, Unavailable of all."""
        with self._lock:
            if self._inside[account] >= EACH + WAITING:
                raise TooManyRequests(
                    f"{EACH + WAITING} statements of the account are running or waiting",
                    hint="Send it again when one of them has ended.",
                )
            if self._inside.total() >= (INSIDE - KEPT_FREE if self._inside[account] else INSIDE):
                raise Unavailable(
                    "Too many statements of all accounts are running or waiting",
                    hint="Send it again in a moment.",
                    retry_after=1,
                )
            self._inside[account] += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside[account] -= 1
                self._inside += Counter()  # drops accounts that have none

    def close(self) -> None:
        """End all processes; statements in progress raise Unavailable."""
        with self._lock:
            self._closed = True
            self._end_all()

    @property
    def pids(self) -> list[int]:
        """Of the processes that wait for a statement."""
        with self._lock:
            return [each.pid for each in self._warm]

    def _begun(self, job: ConfinedJob) -> ForkedProcess:
        """The next process that is alive, with the job: one may die while it waits."""
        for _ in range(1 + WARM):
            check_present()
            process = self._take()
            process.channel.settimeout(job.seconds + GRACE_SECONDS)
            try:
                process.begin(job)
            except (NotBegun, OSError):
                process.channel.close()
                self._kill(process.pid)
            else:
                return process
        raise Unavailable("No process could be started for the statement.")

    def _run(self, job: ConfinedJob) -> pa.Table:
        process, until = self._begun(job), time.monotonic() + job.seconds
        try:
            with (
                stopped_by_departure(lambda: self._kill(process.pid)),
                TimeLimit(SHORT_SECONDS, process.give_way),
            ):
                return self._told(lambda: read_answer(process), until)
        finally:
            process.channel.close()
            self._kill(process.pid)

    def _failure_of(self, reply: ConfinedReply, until: float) -> Exception:
        if reply.kind == "missing":
            return SourceMissing(reply.name)
        if reply.kind == "error":
            return ConfinedFailure(reply.code, reply.name)
        check_present()
        return self._gone(reply, over=time.monotonic() >= until)

    def _gone(self, reply: ConfinedReply, *, over: bool) -> Exception:
        if self._closed:
            return Unavailable("The server is stopping.")
        log.info("statement_ended_by_limit", status=reply.number, over=over)
        over = over or (os.WIFSIGNALED(reply.number) and os.WTERMSIG(reply.number) in _BY_TIME)
        return ConfinedFailure("time" if over else "memory")

    def _take(self) -> ForkedProcess:
        with self._lock:
            self._idle.stop()
            while self._warm:
                process = self._warm.pop(0)
                if process.is_waiting:
                    return process
                process.channel.close()
            return self._forked()

    def _refill_aside(self) -> None:
        """On a thread of its own: an answer does not wait for the process of the next statement."""
        threading.Thread(target=self._refill, name="airtally-sql-refill", daemon=True).start()

    def _refill(self) -> None:
        """Make the next processes ready."""
        with self._lock:
            if self._closed:
                return
            try:
                while len(self._warm) < WARM:
                    self._warm.append(self._forked())
            except Unavailable:
                log.warning("no process is ready for the next statement")
            self._idle.start()

    def _forked(self) -> ForkedProcess:
        """A new process. Only with the lock."""
        if self._closed:
            raise Unavailable("The server is stopping.")
        if self._zygote is None or not self._zygote.is_alive():
            self._start_zygote()
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                self._send_request(FORK, 0, [theirs.fileno()])
            ours.settimeout(30)
            started = msgspec.json.decode(receive_frame(ours, MAX_REPLY), type=ConfinedReply)
        except (OSError, EOFError, ValueError) as error:
            ours.close()
            self._end_all()
            raise Unavailable("No process could be started for the statement.") from error
        return ForkedProcess(ours, started.number)

    def _start_zygote(self) -> None:
        from airtally.engine.confined import zygote  # noqa: PLC0415 (loads the engine; only here is it needed)

        self._end_all()
        ours, theirs = socket.socketpair()
        context = multiprocessing.get_context("spawn")
        process = context.Process(target=zygote.serve, args=(theirs,), name="airtally-sql", daemon=True)
        process.start()
        self._zygote = process
        theirs.close()
        self._control = ours

    def _kill(self, pid: int) -> None:
        """Does nothing where the process has ended."""
        with self._lock, suppress(OSError):
            self._send_request(KILL, pid, [])

    def _send_request(self, letter: bytes, pid: int, fds: list[int]) -> None:
        if self._control is not None:
            socket.send_fds(self._control, [REQUEST.pack(letter, pid)], fds)

    def _end_all(self) -> None:
        """Only with the lock."""
        self._idle.stop()
        for process in self._warm:
            process.channel.close()
        self._warm.clear()
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._zygote is not None:
            self._zygote.kill()
            self._zygote.join()
            self._zygote = None

    def _end_when_idle(self) -> None:
        with self._lock:
            if self._idle.is_due:
                self._end_all()
