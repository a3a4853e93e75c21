"""Sends the answer to a statement piece by piece, while it is made: only the piece on its way is held."""

from __future__ import annotations

import socket
from typing import Any

import msgspec
import pyarrow as pa

from airtally.engine.confined.job import MAX_BYTES, ConfinedJob, ConfinedReply, send_frame

#: Rows that are read at once, a piece where the answer is streamed.
BATCH_ROWS = 10_000


class AnswerTooLarge(Exception):
    """The answer has more rows or bytes than one may have, or a piece of one that is streamed; `code` says which."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def send_answer(channel: socket.socket, connection: Any, job: ConfinedJob) -> ConfinedReply:
    """What is to be said once the last piece is sent. Raises what the engine raises, and AnswerTooLarge."""
    reader = connection.execute(job.text, dict(job.parameters)).to_arrow_reader(BATCH_ROWS)
    send_frame(channel, msgspec.json.encode(ConfinedReply("stream")))
    rows = 0
    try:
        send_frame(channel, memoryview(arrow_stream(reader.schema)))
        for batch in reader:
            if batch.nbytes > MAX_BYTES:
                raise AnswerTooLarge("too_wide")
            send_frame(channel, memoryview(arrow_stream(reader.schema, batch)))
            rows += batch.num_rows
    finally:
        send_frame(channel, b"")
    return ConfinedReply("end", number=rows)


def arrow_stream(schema: pa.Schema, *batches: pa.RecordBatch) -> pa.Buffer:
    """An Arrow stream of some batches."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return sink.getvalue()
