"""What the document says of `POST /api/v1/streams/{stream}/events`, which has a handler of its own."""

from __future__ import annotations

from typing import Any

from airtally.accounts.permissions import Permission
from airtally.api.ingest import PREFIX, SUFFIX
from airtally.api.openapi.errors import ALWAYS, OF_BODIES, OF_CALLERS, Problems
from airtally.api.openapi.schemas import Schemas
from airtally.ingest.decode import MEDIA_TYPES
from airtally.ingest.service import IngestAnswer, ShownError
from airtally.kit.errors import Conflict, Unprocessable
from airtally.kit.openapi import JSON, JsonObject, array_of, content, parameter, ref, text_of
from airtally.streams import STREAMS

PATH = PREFIX + "{stream}" + SUFFIX
TAG: JsonObject = {"name": "Rows", "description": "Rows of the streams, on their way in."}
TYPES: tuple[Any, ...] = (IngestAnswer, ShownError)

_ROW = {"type": "object", "description": "A row: docs/reference/streams.md has the columns of each stream."}
_PLAY = {"player_id": 7, "media_id": 12, "played_at": "2026-11-02T08:00:00", "duration_seconds": 15}
_ABOUT = """Rows are on disk before the answer comes. Wrong rows are told in `errors`, by line and field, and kept in \
quarantine; the right ones count. An event that is sent again counts once. With `Idempotency-Key`, a batch that is sent \
again is answered as the first time; the key of another batch is refused with 422."""
_ANSWER = {"accepted": 1, "rejected": 0, "errors": []}


def paths(schemas: Schemas, problems: Problems) -> JsonObject:
    failures = (*ALWAYS, *OF_CALLERS, *OF_BODIES, Conflict, Unprocessable)
    done = {"description": "The rows are on disk.", "content": content(schemas.of(IngestAnswer), _ANSWER)}
    operation: JsonObject = {
        "operationId": "send_rows",
        "tags": [TAG["name"]],
        "summary": "Send rows",
        "description": _ABOUT,
        "security": [{"bearer": []}],
        "x-airtally-permission": Permission.WRITE,
        "parameters": [
            parameter("path", "stream", text_of(*STREAMS), "The stream that the rows are for."),
            parameter("header", "Content-Encoding", text_of("gzip", "zstd", "identity"), "How the body is packed."),
            ref("Account", "parameters"),
            ref("IdempotencyKey", "parameters"),
        ],
        "requestBody": {"required": True, "content": _bodies()},
        "responses": {"200": done} | problems.responses(failures),
    }
    return {PATH: {"post": operation}}


def _bodies() -> JsonObject:
    found: JsonObject = {}
    for media_type in MEDIA_TYPES:
        if media_type == JSON:
            found |= content({"anyOf": [array_of(_ROW), _ROW]}, [_PLAY])
        elif media_type.startswith("text/") or "json" in media_type:
            found[media_type] = {"schema": text_of()}
        else:
            found[media_type] = {}
    return found
