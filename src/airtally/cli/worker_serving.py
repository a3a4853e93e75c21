"""What a worker process does from its start to its end."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import msgspec

from airtally.cli.common import command, settings_from_environment
from airtally.cli.listening import Listening
from airtally.cli.serving import serve_as_worker
from airtally.cli.worker_start import SUPERSEDED, WorkerServes, WorkerStart
from airtally.kit import logs
from airtally.kit.crew import Crew
from airtally.kit.errors import NewerHome


@command
def run_worker(start: WorkerStart) -> None:
    """Serve with the settings of the environment, which are the parent's."""
    logs.configure(start.log_level)
    asked_early = _noted_until_it_serves()
    control = _inherited_socket(start.control)
    _stop_with_parent(control)
    listening = Listening(start.host, start.scheme, tuple(_inherited_socket(each) for each in start.sockets))

    def announce(lines: Sequence[str]) -> None:
        control.sendall(msgspec.json.encode(WorkerServes(tuple(lines))) + b"\n")
        if asked_early.is_set():
            os.kill(os.getpid(), signal.SIGTERM)

    try:
        serve_as_worker(
            listening,
            settings_from_environment(),
            Crew(Path(start.folder), start.number, start.count),
            tls=(_path_of_text(start.tls[0]), _path_of_text(start.tls[1])),
            first=start.first,
            announce=announce,
        )
    except NewerHome as newer:
        print(f"airtally: {newer.message}", file=sys.stderr)
        raise SystemExit(SUPERSEDED) from None


def _noted_until_it_serves() -> threading.Event:
    """Set by signals to stop before the server handles them: it stops as soon as it runs, so that it flushes."""
    asked = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.set())
    return asked


def _path_of_text(name: str | None) -> Path | None:
    return None if name is None else Path(name)


def _inherited_socket(descriptor: int) -> socket.socket:
    """A socket that was inherited; this process's own children get it no more."""
    taken = socket.socket(fileno=descriptor)
    taken.set_inheritable(False)
    return taken


def _stop_with_parent(control: socket.socket) -> None:
    """A parent that was killed leaves nobody who would start this process again, or print what it says."""

    def wait() -> None:
        while control.recv(1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="airtally-parent", daemon=True).start()
