"""The parent of `airtally serve --workers N`: it listens, starts the workers, and starts those again that die.

Workers inherit the listening sockets, so that a connection waits for whichever is free, and none is lost with a worker.
Each has a control socket: the worker says on it that it serves, and stops when it ends, as when the parent is killed.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import structlog

from airtally.cli.listening import Listening
from airtally.cli.worker_start import SUPERSEDED, WorkerServes, WorkerStart
from airtally.kit import private, shared_metrics
from airtally.kit.crew import TURNS, crew_folder, note_troubles
from airtally.settings import Settings
from airtally.web.turns import make_turns

#: Until a worker that served is started again, and one that could not start; then twice as long each time.
_AGAIN_SECONDS = 0.2
_FAILED_SECONDS = 1.0
_LONGEST_SECONDS = 30.0

_STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

_log = structlog.get_logger()


def run_workers(
    listening: Listening, settings: Settings, count: int, *, tls: tuple[Path | None, Path | None], log_level: str
) -> None:
    """Until a signal ends them all; then this process ends by the same, as a single one does.

    Raises SystemExit with the status of a worker that could not start at first, or 1 for a superseded program.
    """
    private.enclose(settings.home, shared=settings.shares_folders)
    if not settings.public_url:
        listening.warn()
    with crew_folder(settings.home / "processes") as folder:
        make_turns(folder / TURNS, count)
        start = WorkerStart(
            number=0,
            count=count,
            folder=str(folder.absolute()),
            first=True,
            host=listening.host,
            scheme=listening.scheme,
            sockets=tuple(each.fileno() for each in listening.sockets),
            control=-1,
            tls=(_path_as_text(tls[0]), _path_as_text(tls[1])),
            log_level=log_level,
        )
        parent = WorkerProcesses(start, folder, announce=lambda lines: _say_address(listening, lines))
        asyncio.run(parent.run())
    if parent.status:
        raise SystemExit(parent.status)
    if parent.signal is not None:
        signal.signal(parent.signal, signal.SIG_DFL if parent.signal != signal.SIGINT else signal.default_int_handler)
        signal.raise_signal(parent.signal)


def _path_as_text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _say_address(listening: Listening, lines: Sequence[str]) -> None:
    listening.announce()
    for line in lines:
        print(line, flush=True)


@dataclass(frozen=True, slots=True)
class WorkerProcess:
    """One that was started; `said` gives what it says on its control socket."""

    number: int
    process: Process
    said: asyncio.StreamReader
    control: asyncio.StreamWriter

    async def serves(self) -> WorkerServes | None:
        """Waits until it serves. None if it ended before."""
        line = await self.said.readline()
        return msgspec.json.decode(line, type=WorkerServes) if line.endswith(b"\n") else None

    async def ended(self) -> int:
        """Waits for its end, and returns its status: that of a signal is negative."""
        status = await self.process.wait()
        self.control.close()
        return status


class WorkerProcesses:
    """Runs `start.count` workers. `status` is not 0 once they cannot go on, `signal` the first that stopped them."""

    def __init__(self, start: WorkerStart, folder: Path, *, announce: Callable[[Sequence[str]], None]) -> None:
        self.status = 0
        self.signal: signal.Signals | None = None
        self._start, self._folder, self._announce = start, folder, announce
        self._stopping = asyncio.Event()
        self._running: dict[int, WorkerProcess] = {}
        self._troubles: dict[int, str] = {}

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        for number in _STOPPING:
            loop.add_signal_handler(number, self._stop, number)
        lines = await self._begin()
        if lines is not None and not self._stopping.is_set():
            self._announce(lines)
        await asyncio.gather(*(self._keep(each) for each in list(self._running.values())))

    async def _begin(self) -> list[str] | None:
        """Start all, the first alone: it makes or upgrades the home. Returns what they say, None if one failed."""
        first = await self._serving(1)
        if first is None:
            return None
        others = await asyncio.gather(*(self._serving(number) for number in range(2, self._start.count + 1)))
        return None if None in others else list(first.lines)

    async def _serving(self, number: int) -> WorkerServes | None:
        worker = await self._started(number, first=number == 1)
        serves = await worker.serves()
        if serves is None:
            status = await worker.ended()
            self._end(1 if status in {SUPERSEDED, 0} or status < 0 else status)
        return serves

    async def _started(self, number: int, *, first: bool = False) -> WorkerProcess:
        ours, theirs = socket.socketpair()
        with theirs:
            told = msgspec.structs.replace(self._start, number=number, first=first, control=theirs.fileno())
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "airtally.cli.worker_process", msgspec.json.encode(told).decode()),
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=(*told.sockets, told.control),
            )
        said, control = await asyncio.open_connection(sock=ours)
        worker = self._running[number] = WorkerProcess(number, process, said, control)
        if self._stopping.is_set():
            _terminate(worker)
        return worker

    async def _keep(self, worker: WorkerProcess) -> None:
        """Start another in the place of each that ends, until all are stopped."""
        served, failures = True, 0
        while True:
            status = await worker.ended()
            shared_metrics.forget_gauges(self._folder, worker.number)
            if self._stopping.is_set():
                return
            if status == SUPERSEDED:
                self._end(1)
                return
            failures = 0 if served else failures + 1
            wait = _AGAIN_SECONDS if served else min(_FAILED_SECONDS * 2 ** (failures - 1), _LONGEST_SECONDS)
            self._note_end(worker.number, status, served, wait)
            if await self._stopped_within(wait):
                return
            worker = await self._started(worker.number)
            served = await worker.serves() is not None
            if served:
                self._note(worker.number, None)

    def _note_end(self, number: int, status: int, served: bool, wait: float) -> None:
        _log.error("a worker process ended and is started again", worker=number, status=status, seconds=wait)
        if not served:
            self._note(number, f"worker {number} ended with status {status} at its start, tried again in {wait:g} s")

    def _note(self, number: int, trouble: str | None) -> None:
        self._troubles.pop(number, None)
        if trouble is not None:
            self._troubles[number] = trouble
        note_troubles(self._folder, [self._troubles[each] for each in sorted(self._troubles)])

    async def _stopped_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                return await self._stopping.wait()
        except TimeoutError:
            return False

    def _stop(self, number: signal.Signals) -> None:
        if self.signal is None:
            self.signal = number
        self._end(0)

    def _end(self, status: int) -> None:
        """Let every worker finish what it does; with a status for this process that no signal has ended."""
        if status and self.signal is None and not self.status:
            self.status = status
        self._stopping.set()
        for worker in self._running.values():
            _terminate(worker)


def _terminate(worker: WorkerProcess) -> None:
    if worker.process.returncode is None:
        worker.process.terminate()
