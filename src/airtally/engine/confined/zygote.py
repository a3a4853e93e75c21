"""A process without threads of its own that has loaded what statements need, and forks a confined process for each.

A fork takes some 10 ms, opening an engine in it some 60; loading the libraries anew would take a second.
"""

from __future__ import annotations

import os
import select
import signal
import socket
from contextlib import suppress

import msgspec

from airtally.engine.confined.job import FORK, REQUEST, ConfinedReply, send_frame
from airtally.engine.confined.relations import load_dialect
from airtally.engine.confined.run import die_with_parent, run_confined

NICE = 5


class _Zygote:
    """`_channels` holds the channel of each process that lives, so that its end can be told on it."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._channels: dict[int, socket.socket] = {}
        self._woken, wake = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(wake, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake)

    def serve(self) -> None:
        """Until the server closes its end."""
        while True:
            ready, _, _ = select.select([self._control.fileno(), self._woken], [], [])
            if self._woken in ready:
                with suppress(BlockingIOError):
                    os.read(self._woken, 4096)
                self._reap()
            if self._control.fileno() in ready and not self._take_request():
                return

    def _take_request(self) -> bool:
        message, fds, _, _ = socket.recv_fds(self._control, REQUEST.size, 1)
        if len(message) < REQUEST.size:
            return False
        letter, pid = REQUEST.unpack(message)
        if letter == FORK:
            self._fork(socket.socket(fileno=fds[0]))
        elif pid in self._channels:  # not reaped yet, so that the number is still that process's
            os.kill(pid, signal.SIGKILL)
        return True

    def _fork(self, channel: socket.socket) -> None:
        pid = os.fork()
        if pid == 0:
            _become_confined(channel)
        self._channels[pid] = channel
        _say(channel, ConfinedReply("started", number=pid))

    def _reap(self) -> None:
        while self._channels:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            channel = self._channels.pop(pid)
            _say(channel, ConfinedReply("ended", number=status))
            channel.close()


def _say(channel: socket.socket, reply: ConfinedReply) -> None:
    channel.settimeout(1.0)
    with suppress(OSError):  # whoever asked is gone
        send_frame(channel, msgspec.json.encode(reply))
    channel.settimeout(None)


def _become_confined(channel: socket.socket) -> None:
    """In the new process; never returns."""
    try:
        die_with_parent()
        os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        own = socket.socket(fileno=_alone(channel.detach()))
        run_confined(own)
    except BaseException:  # noqa: BLE001 (nothing of it may be printed; the server sees the status)
        os._exit(1)
    os._exit(0)


def _alone(channel: int) -> int:
    """Close all files but the channel, which becomes number 3; what would be printed goes nowhere."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    kept = os.dup(channel) if channel > 3 else channel
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    os.dup2(kept, 3)
    os.closerange(4, os.sysconf("SC_OPEN_MAX"))
    return 3


def serve(control: socket.socket) -> None:
    """The main function of the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for the server, which ends this process
    os.nice(NICE)
    load_dialect()
    _Zygote(control).serve()
    os._exit(0)
