"""Parts that several vendors' wires have: headers of quality, and files that are fetched by their links."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from airtally.api.problems import Problem
from airtally.kit.openapi import BINARY, TEXT, JsonObject, header, parameter, prose
from airtally.kit.quality import quality_headers
from airtally.vendors.openapi.declared import WireOperation
from airtally.vendors.openapi.failures import ANY_PREFLIGHT

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
_CORS = "As browsers read it (CORS)."
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


def cors_headers(names: Iterable[str]) -> dict[str, str]:
    """Headers for pages of other sites, as keywords of `kit/openapi.answer`."""
    return {name.replace("-", "_"): "Pages of any origin may read the answer." for name in names}


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


def struct_schemas(*kinds: Any) -> dict[str, JsonObject]:
    """Schemas of structs that are answered as they are, and of those in them, by name."""
    _, found = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    for schema in found.values():
        schema.pop("title", None)
        if "description" in schema:
            schema["description"] = prose(schema["description"])
    return dict(found)


#: Of files whose paths no vendor's errors answer: problem+json, or a page for browsers.
PROBLEM = struct_schemas(Problem)


def preflight(
    path: str, section: int, headers: Iterable[str], parameters: Iterable[JsonObject] = (), route: str = ""
) -> WireOperation:
    """What browsers ask before they call the path. Of `parameters` those of the path count."""
    return WireOperation(
        id="preflight" + re.sub(r"\W+", "_", path).rstrip("_"),
        method="OPTIONS",
        path=path,
        route=route,
        section=section,
        summary="Ask whether a page may call",
        parameters=[one for one in parameters if one["in"] == "path"],
        success={204: {"description": "It may.", "headers": {name: header(_CORS) for name in headers}}},
        failures=ANY_PREFLIGHT,
    )
