"""What a body without a content type looks like, by its first bytes."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from airtally.ingest.decode.text import BOM
from airtally.kit.sent_json import decode_sent
from airtally.streams.declaration import Stream

NDJSON, JSON, CSV = "application/x-ndjson", "application/json", "text/csv"
PARQUET, ARROW = "application/vnd.apache.parquet", "application/vnd.apache.arrow.stream"

#: Characters of a body that a refusal shows.
_SHOWN = 40
#: Bytes of a first line that is read as a header.
_HEADER_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class Seen:
    """`media_type` is None if the body cannot be read as it is; `words` say what it looks like."""

    media_type: str | None
    words: str


#: First bytes of formats that are no text.
_MAGIC = (
    (b"\x1f\x8b", Seen(None, "gzip; say so with Content-Encoding: gzip")),
    (b"\x28\xb5\x2f\xfd", Seen(None, "zstd; say so with Content-Encoding: zstd")),
    (b"PAR1", Seen(PARQUET, f"Parquet; send it as {PARQUET}")),
    (b"ARROW1", Seen(None, "an Arrow file; send an Arrow stream")),
    (b"\xff\xff\xff\xff", Seen(ARROW, f"an Arrow stream; send it as {ARROW}")),
)
#: First bytes of what is refused line by line where the body is said to be text.
_ODD = (
    (b"\xff\xfe", Seen(None, "text in UTF-16; send UTF-8")),
    (b"\xfe\xff", Seen(None, "text in UTF-16; send UTF-8")),
    (b"PK\x03\x04", Seen(None, "a ZIP file or a spreadsheet; send CSV")),
)


def binary_seen(head: bytes) -> Seen | None:
    """The format that is no text and begins like this; None for any other body."""
    return _begins_with(_MAGIC, head)


def _begins_with(magics: Iterable[tuple[bytes, Seen]], head: bytes) -> Seen | None:
    return next((seen for magic, seen in magics if head.startswith(magic)), None)


def looks_like(stream: Stream, head: bytes) -> Seen:
    """The format of a body of rows of the stream, by its first bytes."""
    if (seen := _begins_with((*_MAGIC, *_ODD), head)) is not None:
        return seen
    text = head.removeprefix(BOM).lstrip(b" \t\r\n")
    if not text:
        return Seen(None, "nothing at all" if not head else "white space alone")
    if text.startswith(b"["):
        return Seen(JSON, f"a JSON array; send it as {JSON}")
    if text.startswith(b"{"):
        if _is_object(text.partition(b"\n")[0]):
            return Seen(NDJSON, f"one JSON object a line; send it as {NDJSON}")
        return Seen(JSON, f"JSON; send it as {JSON}")
    return _as_table(stream, head.removeprefix(BOM)) or Seen(
        None, f"no format known here: it begins with {_shown(text)}"
    )


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(decode_sent(line), dict)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


def _as_table(stream: Stream, text: bytes) -> Seen | None:
    """CSV, if the first line is a header with columns of the stream; None if it names none of them."""
    line = text[:_HEADER_BYTES].partition(b"\n")[0].rstrip(b"\r")
    try:
        names = [name.strip() for name in next(csv.reader([line.decode()], strict=True), [])]
    except (UnicodeDecodeError, csv.Error):
        return None
    known = [name in stream.by_name for name in names]
    if not any(known):
        return None
    if all(known):
        return Seen(CSV, f"CSV with a header; send it as {CSV}")
    unknown = names[known.index(False)]
    return Seen(None, f"CSV whose header names {_shown(unknown.encode())}, which is no column of {stream.name}")


def _shown(text: bytes) -> str:
    """The beginning, with what cannot be printed escaped."""
    beginning = text[:_SHOWN].decode(errors="replace")
    return ascii(beginning if len(text) <= _SHOWN else f"{beginning}...")
