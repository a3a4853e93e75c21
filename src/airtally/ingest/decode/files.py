"""Reads files in chunks, each with the position after it, from which a later run can go on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from airtally.ingest.checked import Checked
from airtally.ingest.decode.arrow import arrow_chunks
from airtally.ingest.decode.csv import csv_chunks
from airtally.ingest.decode.json import json_chunks
from airtally.ingest.decode.limits import LIMITS, DecodeLimits
from airtally.ingest.decode.ndjson import ndjson_chunks
from airtally.ingest.decode.parquet import parquet_chunks
from airtally.kit.errors import UnsupportedMedia
from airtally.streams.declaration import Stream

Chunks = Iterator[tuple[Checked, int]]

_TEXTS: dict[str, Callable[[Stream, Path, int, DecodeLimits], Chunks]] = {
    ".ndjson": ndjson_chunks,
    ".jsonl": ndjson_chunks,
    ".json": json_chunks,
    ".csv": csv_chunks,
}
_COLUMNS: dict[str, Callable[[Stream, Path, int, DecodeLimits], Chunks]] = {
    ".parquet": parquet_chunks,
    ".arrow": arrow_chunks,
    ".arrows": arrow_chunks,
    ".feather": arrow_chunks,
}
_PACKED = (".gz", ".zst")

#: The supported endings; those of text files may be followed by `.gz` or `.zst`.
FILE_TYPES = (*_TEXTS, *_COLUMNS)


def read_file(stream: Stream, path: Path, *, start: int = 0, limits: DecodeLimits = LIMITS) -> Chunks:
    """Chunks of about 250,000 rows, each with the position after it: bytes of unpacked text, or rows of Parquet and
    Arrow. Reading begins at `start`, which is such a position.

    The file name tells the format. Raises UnsupportedMedia, BadRequest if the content is of another format (after the
    chunks before the broken place), OSError if the file cannot be read.
    """
    endings = [ending.lower() for ending in path.suffixes] or [""]
    packed = endings[-1] in _PACKED and len(endings) > 1
    reader = _TEXTS.get(endings[-2]) if packed else (_TEXTS | _COLUMNS).get(endings[-1])
    if reader is None:
        raise UnsupportedMedia(f"cannot tell the format of {path.name}", hint=f"Name it *{', *'.join(FILE_TYPES)}.")
    return reader(stream, path, start, limits)
