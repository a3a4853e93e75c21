"""Files as batches for a server: text as it stands, cut between rows, and tables as Arrow streams."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

from airtally.client.batches import NDJSON, BatchSize, EncodedBatch
from airtally.client.tables import TableBatcher
from airtally.ingest.contents import is_text, raw_digest, read_content, unpacked_name
from airtally.ingest.decode.arrow import stored_batches
from airtally.ingest.decode.files import FILE_TYPES
from airtally.ingest.decode.json import json_has_lines
from airtally.ingest.decode.parquet import parquet_batches
from airtally.ingest.decode.pieces import TextPiece, csv_pieces, json_pieces, ndjson_pieces
from airtally.kit.errors import UnsupportedMedia

_LINES = (".ndjson", ".jsonl")
_ROWS = BatchSize(50_000, 8 << 20)


def batches_of(path: Path) -> Iterator[EncodedBatch]:
    """The file in batches, always the same ones for the same content.

    Raises UnsupportedMedia for a name of an unknown type, BadRequest for content of another type, and OSError.
    """
    name = unpacked_name(path).lower()
    if name.endswith(_LINES) or (name.endswith(".json") and json_has_lines(path)):
        return _texts(path, ndjson_pieces, NDJSON)
    if name.endswith(".json"):
        return _texts(path, json_pieces, "application/json")
    if name.endswith(".csv"):
        return _texts(path, csv_pieces, "text/csv")
    if path.name.lower().endswith(FILE_TYPES):
        return _tables(path)
    raise UnsupportedMedia(f"cannot tell the format of {path.name}", hint=f"Name it *{', *'.join(FILE_TYPES)}.")


def key_of(stream: str, path: Path) -> str:
    """What the `Idempotency-Key`s of the file's batches begin with: its unpacked content and the stream say it."""
    digest = read_content(path).digest if is_text(path) else raw_digest(path)
    return "file:" + hashlib.sha256(f"{stream}\0{digest}".encode()).hexdigest()


def _texts(path: Path, cut: Callable[[Path], Iterator[TextPiece]], media_type: str) -> Iterator[EncodedBatch]:
    for number, piece in enumerate(cut(path)):
        yield EncodedBatch(number, piece.offset, None, media_type, piece.body)


def _tables(path: Path) -> Iterator[EncodedBatch]:
    batcher = TableBatcher(_ROWS)
    with path.open("rb") as opened:
        read = parquet_batches if path.suffix.lower() == ".parquet" else stored_batches
        for batch in read(opened, path):
            yield from batcher.feed(batch)
        yield from batcher.finish()
