"""Decodes a request body by its media type, and by its first bytes if it has none."""

from __future__ import annotations

from collections.abc import Callable
from email.message import Message

from airtally.ingest.checked import Checked
from airtally.ingest.decode.arrow import read_arrow
from airtally.ingest.decode.bodies import UnpackedBody
from airtally.ingest.decode.csv import read_csv
from airtally.ingest.decode.json import read_json
from airtally.ingest.decode.limits import LIMITS, DecodeLimits
from airtally.ingest.decode.ndjson import read_ndjson
from airtally.ingest.decode.parquet import read_parquet
from airtally.ingest.decode.sniff import ARROW, CSV, JSON, NDJSON, PARQUET, binary_seen, looks_like
from airtally.kit.errors import BadRequest, UnsupportedMedia
from airtally.streams.declaration import Stream

_READERS: dict[str, Callable[[Stream, UnpackedBody, DecodeLimits], Checked]] = {
    NDJSON: read_ndjson,
    JSON: read_json,
    CSV: read_csv,
    PARQUET: read_parquet,
    ARROW: read_arrow,
}
#: Other names of the same.
_ALSO = {"application/ndjson": NDJSON, "application/jsonl": NDJSON, "application/parquet": PARQUET}

#: The supported values of `Content-Type`.
MEDIA_TYPES = tuple(_READERS)

#: Say nothing of what a body is.
_UNSAID = ("", "application/octet-stream")
_TEXTS = (NDJSON, JSON, CSV)
_BY_PIECE = (NDJSON, JSON)
_CHARSETS = ("", "utf-8", "utf8", "us-ascii", "ascii")


def is_read_by_piece(media_type: str) -> bool:
    """Whether bodies of a type are read piece by piece, not held as a whole."""
    return _name(media_type) in _BY_PIECE


def _name(media_type: str) -> str:
    name = media_type.partition(";")[0].strip().lower()
    return _ALSO.get(name, name)


def read_rows(
    stream: Stream, body: UnpackedBody | bytes | memoryview, media_type: str, *, limits: DecodeLimits = LIMITS
) -> Checked:
    """The rows of an unpacked body. `media_type` is the header's value with its parameters; empty if there is none.

    Raises UnsupportedMedia, BadRequest for a body that is not of its type, and TooLarge.
    """
    if not isinstance(body, UnpackedBody):
        body = UnpackedBody.of(bytes(body))
    name = _name(media_type)
    if name not in _READERS:
        name = _name_seen(stream, body.head, name)
    elif name in _TEXTS:
        _check_text(body.head, name, media_type)
    return _READERS[name](stream, body, limits)


def _name_seen(stream: Stream, head: bytes, name: str) -> str:
    """The type that a body without one has by its first bytes. Raises UnsupportedMedia with what was seen."""
    seen = looks_like(stream, head)
    if name in _UNSAID and seen.media_type is not None:
        return seen.media_type
    said = "a body without a content type" if not name else f"a body of type {name[:100]}"
    raise UnsupportedMedia(
        f"cannot read {said}, which looks like {seen.words}",
        hint=f"Send one of {', '.join(MEDIA_TYPES)}, and say which in Content-Type.",
    )


def _check_text(head: bytes, name: str, media_type: str) -> None:
    """Raises BadRequest for content that is no text, UnsupportedMedia for parameters that ask for what is not read."""
    if (seen := binary_seen(head)) is not None:
        raise BadRequest(f"the body is not {name} but looks like {seen.words}")
    if name != CSV or ";" not in media_type:
        return
    said = Message()
    said["Content-Type"] = media_type
    charset, header = (str(said.get_param(name, "")).lower() for name in ("charset", "header"))
    if charset not in _CHARSETS:
        raise UnsupportedMedia(f"cannot read CSV in {charset[:40]}", hint="Send UTF-8.")
    if header == "absent":
        raise UnsupportedMedia("cannot read CSV without a header", hint="Name the columns in the first line.")
