"""Inside a confined process: open what the statement reads, give up everything else, run it, say what came of it."""

from __future__ import annotations

import ctypes
import math
import os
import pickle
import resource
import signal
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.dataset as ds

from airtally.engine.confined.errors import code_of
from airtally.engine.confined.job import (
    BUCKET_FILES,
    ENGINE_MEMORY,
    MAX_BYTES,
    MAX_ROWS,
    MEMORY,
    THREADS,
    ConfinedFiles,
    ConfinedJob,
    ConfinedReply,
    receive_frame,
    send_frame,
)
from airtally.engine.confined.opened import OpenedFiles
from airtally.engine.confined.relations import ConfinedRelations
from airtally.engine.confined.reread import EngineTreeRefused, refuse_unlisted
from airtally.engine.confined.stream import BATCH_ROWS, AnswerTooLarge, arrow_stream, send_answer
from airtally.engine.without_pandas import settle_pandas

#: A job comes from the server itself; its buffered rows make it large.
_MAX_JOB = 4 << 30
_PR_SET_PDEATHSIG = 1
_CONFIG = {
    "threads": str(THREADS),
    "memory_limit": f"{ENGINE_MEMORY}B",
    "enable_external_file_cache": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
    "allow_community_extensions": "false",
    "temp_directory": "",
}


def run_confined(channel: socket.socket) -> None:
    """The life of a process: one statement. Called right after the fork; the caller ends the process."""
    _limit_at_once()
    engine = _open_engine()
    try:
        job: ConfinedJob = pickle.loads(receive_frame(channel, _MAX_JOB))  # noqa: S301 (the server made it)
    except EOFError:
        return
    send_frame(channel, msgspec.json.encode(ConfinedReply("begun")))
    signal.setitimer(signal.ITIMER_REAL, max(0.01, job.seconds))  # the kernel ends the process at the deadline
    reply, body = _outcome(channel, engine, job)
    send_frame(channel, msgspec.json.encode(reply))
    if body is not None:
        send_frame(channel, memoryview(body))


def die_with_parent() -> None:
    """Linux ends the process when its parent is gone; elsewhere its own limits do."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _limit_at_once() -> None:
    with suppress(OSError):  # where the machine runs out of memory, this process goes first
        Path("/proc/self/oom_score_adj").write_text("1000")
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    for limit in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE):
        resource.setrlimit(limit, (0, 0))


@dataclass(frozen=True, slots=True)
class ConfinedEngine:
    """A connection, and the only files that it can read once it is locked."""

    connection: Any
    opened: OpenedFiles

    def lock(self) -> None:
        self.connection.execute("SET enable_external_access = false")
        self.connection.execute("SET lock_configuration = true")


def _open_engine() -> ConfinedEngine:
    """Opened, and used once, before there is a statement: what is loaded at first use is loaded now."""
    pa.set_cpu_count(THREADS)
    pa.set_io_thread_count(THREADS)
    connection = duckdb.connect(":memory:", config=_CONFIG)
    settle_pandas(connection)
    connection.execute("SET GLOBAL TimeZone = 'UTC'")
    table = pa.table({"a": [1]})
    connection.register("_first", ds.dataset(table))
    connection.execute("SELECT a, json_serialize_sql('SELECT 1') FROM _first WHERE a = $b", {"b": 1}).to_arrow_table()
    connection.unregister("_first")
    opened = OpenedFiles()
    connection.register_filesystem(opened)
    return ConfinedEngine(connection, opened)


def _outcome(
    channel: socket.socket, engine: ConfinedEngine, job: ConfinedJob
) -> tuple[ConfinedReply, pa.Buffer | None]:
    try:
        ConfinedRelations(engine.connection, engine.opened).register(job.sources)
    except (OSError, pa.ArrowException) as error:
        return ConfinedReply("missing", name=str(error)), None
    try:
        engine.lock()
        _give_up(job)
        refuse_unlisted(engine.connection, job.text, job.sources.keys())
        if job.streamed:
            return send_answer(channel, engine.connection, job), None
        return _answered(engine.connection, job)
    except EngineTreeRefused as refused:
        return ConfinedReply("error", refused.code, refused.name), None
    except AnswerTooLarge as large:
        return ConfinedReply("error", large.code), None
    except Exception as error:  # noqa: BLE001 (whatever it is, its text stays here)
        return _failed(error), None


def _failed(error: Exception) -> ConfinedReply:
    code, name = code_of(error)
    return ConfinedReply("error", code, name)


def _give_up(job: ConfinedJob) -> None:
    """From here on the process can open nothing, connect to nothing, and has so much memory and CPU time."""
    on_a_bucket = any(isinstance(each, ConfinedFiles) and each.on_bucket for each in job.sources.values())
    if not on_a_bucket:
        os.environ.clear()
    memory = _address_space() + MEMORY
    _lower(resource.RLIMIT_AS, memory)
    _lower(resource.RLIMIT_CPU, math.ceil(time.process_time() + job.seconds * THREADS) + 1)
    _lower(resource.RLIMIT_NOFILE, BUCKET_FILES if on_a_bucket else 0)


def _lower(limit: int, to: int) -> None:
    _, hard = resource.getrlimit(limit)
    most = to if hard == resource.RLIM_INFINITY else min(to, hard)
    resource.setrlimit(limit, (most, most))


def _address_space() -> int:
    pages = Path("/proc/self/statm")
    return int(pages.read_text().split()[0]) * resource.getpagesize() if pages.exists() else MEMORY


def _answered(connection: Any, job: ConfinedJob) -> tuple[ConfinedReply, pa.Buffer]:
    reader = connection.execute(job.text, dict(job.parameters)).to_arrow_reader(BATCH_ROWS)
    batches, rows, size = [], 0, 0
    for batch in reader:
        rows, size = rows + batch.num_rows, size + batch.nbytes
        if rows > MAX_ROWS or size > MAX_BYTES:
            raise AnswerTooLarge("too_many_rows" if rows > MAX_ROWS else "too_many_bytes")
        batches.append(batch)
    return ConfinedReply("answer", number=rows), arrow_stream(reader.schema, *batches)
