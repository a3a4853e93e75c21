"""NDJSON files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from airtally.ingest.checked import Checked
from airtally.ingest.decode.limits import Limits
from airtally.ingest.decode.ndjson import read_ndjson
from airtally.ingest.decode.text import TextFile
from airtally.streams.declaration import Stream

#: Text of some 250,000 rows.
CHUNK_BYTES = 32 << 20


def ndjson_chunks(stream: Stream, path: Path, start: int, limits: Limits) -> Iterator[tuple[Checked, int]]:
    with TextFile(path, start) as text:
        while True:
            line = text.line
            block = text.lines(CHUNK_BYTES, limits.line_max)
            if not block:
                return
            yield read_ndjson(stream, block, limits, first_line=line), text.position
