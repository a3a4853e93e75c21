"""Parts that several vendors' wires have: headers of quality, and files that are fetched by their links."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airtally.kit.openapi import BINARY, TEXT, JsonObject, parameter
from airtally.kit.quality import quality_headers

_ABOUT = {
    "Airtally-Data-Through": "All rows received by then are in the answer; RFC 3339, UTC.",
    "Airtally-Generated-At": "When the figures were counted; RFC 3339, UTC.",
    "Airtally-Timezone": "The zone of the answer's days and times.",
}
#: As keywords of `kit/openapi.answer`.
QUALITY = {
    name.replace("-", "_"): _ABOUT[name]
    for name in quality_headers(data_through_us=0, generated_at_us=0, timezone="UTC")
}
_OF_FILES = {
    "ETag": "Names the file's bytes.",
    "Accept-Ranges": "`bytes`.",
    "Content-Disposition": "The name under which the file is saved.",
    "Airtally-Sha256": "SHA-256 of the whole file, in hex.",
    "Airtally-Rows": "How many rows the file has.",
}
FILE_PARAMETERS = (
    parameter("header", "Range", TEXT, "One range of bytes, as `bytes=0-1023`; what cannot be read is ignored."),
    parameter("header", "If-Range", TEXT, "The `ETag` that the range is of; of another, the whole file is sent."),
    parameter("header", "If-None-Match", TEXT, "An `ETag`: 304 if the file is still that one."),
)


def file_responses(media_types: Sequence[str]) -> dict[int, JsonObject]:
    """Of `files/serve.py`: whole, a range, unchanged, and a range beyond the end."""
    headers = {name: {"schema": TEXT, "description": text} for name, text in _OF_FILES.items()}
    beside = {"Content-Range": {"schema": TEXT, "description": "Which bytes of how many."}}
    bodies: Mapping[str, Any] = {each: {"schema": BINARY} for each in media_types}
    return {
        200: {"description": "The file.", "headers": headers, "content": bodies},
        206: {"description": "The range of it.", "headers": headers | beside, "content": bodies},
        304: {"description": "The file is still the one that `If-None-Match` names.", "headers": headers},
        416: {"description": "The range begins beyond the file's end.", "headers": beside, "content": bodies},
    }
