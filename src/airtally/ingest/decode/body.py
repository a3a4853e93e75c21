"""Decodes a request body by its media type."""

from __future__ import annotations

from collections.abc import Callable

from airtally.ingest.checked import Checked
from airtally.ingest.decode.arrow import read_arrow
from airtally.ingest.decode.bodies import UnpackedBody
from airtally.ingest.decode.json import read_json
from airtally.ingest.decode.limits import LIMITS, DecodeLimits
from airtally.ingest.decode.ndjson import read_ndjson
from airtally.ingest.decode.parquet import read_parquet
from airtally.kit.errors import BadRequest, UnsupportedMedia
from airtally.streams.declaration import Stream

_READERS: dict[str, Callable[[Stream, UnpackedBody, DecodeLimits], Checked]] = {
    "application/x-ndjson": read_ndjson,
    "application/json": read_json,
    "application/vnd.apache.parquet": read_parquet,
    "application/vnd.apache.arrow.stream": read_arrow,
}

#: The supported values of `Content-Type`.
MEDIA_TYPES = tuple(_READERS)

#: First bytes of formats that are no text.
_MAGIC = (
    (b"\x1f\x8b", "gzip; say so with Content-Encoding: gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd; say so with Content-Encoding: zstd"),
    (b"PAR1", "Parquet; send it as application/vnd.apache.parquet"),
    (b"ARROW1", "an Arrow file; send an Arrow stream"),
)
_TEXT = ("application/x-ndjson", "application/json")


def is_read_by_piece(media_type: str) -> bool:
    """Whether bodies of a type are read piece by piece, not held as a whole."""
    return _name(media_type) in _TEXT


def _name(media_type: str) -> str:
    return media_type.partition(";")[0].strip().lower()


def read_rows(
    stream: Stream, body: UnpackedBody | bytes | memoryview, media_type: str, *, limits: DecodeLimits = LIMITS
) -> Checked:
    """The rows of an unpacked body. `media_type` is the header's value with its parameters.

    Raises UnsupportedMedia, BadRequest for a body that is not of its type, and TooLarge.
    """
    name = _name(media_type)
    reader = _READERS.get(name)
    if reader is None:
        raise UnsupportedMedia(
            f"cannot read a body of type {name[:100] or 'unknown'}", hint=f"Send one of {', '.join(MEDIA_TYPES)}."
        )
    if not isinstance(body, UnpackedBody):
        body = UnpackedBody.of(bytes(body))
    if name in _TEXT:
        for magic, meaning in _MAGIC:
            if body.head.startswith(magic):
                raise BadRequest(f"the body is not {name} but looks like {meaning}")
    return reader(stream, body, limits)
