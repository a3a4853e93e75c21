"""A confined process, seen from the server: it is given one job, and says what came of it."""

from __future__ import annotations

import os
import pickle
import select
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import msgspec
import pyarrow as pa

from airtally.engine.confined.job import MAX_BYTES, ConfinedJob, ConfinedReply, receive_frame, send_frame

MAX_REPLY = 1 << 20
_LEFT_OVER = 19
_LOOK_SECONDS = 1.0


class NotBegun(Exception):
    """The process was gone before it had its job."""


@dataclass(slots=True)
class ForkedProcess:
    channel: socket.socket
    pid: int

    def begin(self, job: ConfinedJob) -> None:
        """Raises NotBegun."""
        try:
            send_frame(self.channel, pickle.dumps(job, protocol=5))
            reply = self.reply()
        except (EOFError, ConnectionError) as error:
            raise NotBegun from error
        if reply.kind != "begun":
            raise NotBegun

    def reply(self) -> ConfinedReply:
        return msgspec.json.decode(receive_frame(self.channel, MAX_REPLY), type=ConfinedReply)

    def wait(self, until: float, while_waiting: Callable[[], None]) -> None:
        """Until it says something; `while_waiting` is called each second. Raises TimeoutError."""
        while not select.select([self.channel], [], [], _LOOK_SECONDS)[0]:
            while_waiting()
            if time.monotonic() > until:
                raise TimeoutError

    def give_way(self) -> None:
        """A confined process leads a group, so that all of its threads are reached."""
        with suppress(OSError):
            os.setpriority(os.PRIO_PGRP, self.pid, _LEFT_OVER)

    @property
    def is_waiting(self) -> bool:
        """Whether it lives: a process says nothing before it is given a statement."""
        self.channel.setblocking(False)
        try:
            self.channel.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False


class UnexpectedReply(Exception):
    """The process says something else than what is read: how the statement ended."""

    def __init__(self, reply: ConfinedReply) -> None:
        super().__init__(reply.kind)
        self.reply = reply


@dataclass(frozen=True, slots=True)
class ConfinedStream:
    """A streamed answer as it is read. Each call raises UnexpectedReply, or what reading a broken channel raises."""

    process: ForkedProcess
    until: float
    while_waiting: Callable[[], None]

    def schema(self) -> pa.Schema:
        self.process.wait(self.until, self.while_waiting)
        reply = self.process.reply()
        if reply.kind != "stream":
            raise UnexpectedReply(reply)
        return read_table(receive_frame(self.process.channel, MAX_BYTES)).schema

    def next_batches(self) -> list[pa.RecordBatch] | None:
        """None at the end of the answer."""
        self.process.wait(self.until, self.while_waiting)
        piece = receive_frame(self.process.channel, MAX_BYTES + MAX_REPLY)
        if piece.startswith(b"{"):  # no Arrow stream begins so: the process has ended before its answer
            raise UnexpectedReply(msgspec.json.decode(piece, type=ConfinedReply))
        if piece:
            return list(read_table(piece).to_batches())
        reply = self.process.reply()
        if reply.kind != "end":
            raise UnexpectedReply(reply)
        return None


def read_answer(process: ForkedProcess) -> pa.Table:
    """A whole answer. Raises UnexpectedReply, or what reading a broken channel raises."""
    reply = process.reply()
    if reply.kind != "answer":
        raise UnexpectedReply(reply)
    return read_table(receive_frame(process.channel, MAX_BYTES + MAX_REPLY))


def read_table(stream: bytes) -> pa.Table:
    """The process ran a caller's statement: what it sends is looked at before it is used."""
    with pa.ipc.open_stream(stream) as reader:
        table = reader.read_all()
    table.validate(full=True)
    return table
