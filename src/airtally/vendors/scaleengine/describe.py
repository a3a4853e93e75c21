"""What the OpenAPI document says of the wire, with the names and choices that the handler reads.

docs/vendors/scaleengine.md#1, #2, #3, #5, #6.
"""

from __future__ import annotations

from collections.abc import Mapping

from airtally.kit.openapi import TEXT, WHOLE, JsonObject, answer, array_of, closed, content, opened, ref, text_of
from airtally.vendors.openapi.declared import VendorWire, WireOperation
from airtally.vendors.openapi.failures import ANY_BODY, ANY_CALL, ANY_QUESTION
from airtally.vendors.openapi.parts import QUALITY
from airtally.vendors.scaleengine import errors, params, signature
from airtally.vendors.scaleengine.choices import CHOICES
from airtally.vendors.scaleengine.encode import COUNTS
from airtally.vendors.scaleengine.form import JSON_FIELD, PHP_FIELD

_JSON = "application/json; charset=utf-8"
_PHP = "text/plain"
_DIGITS = text_of(pattern="^[0-9]{1,18}$")
_NUMBER: JsonObject = {"anyOf": [WHOLE, _DIGITS]}


def _one_or_many(item: Mapping[str, object], description: str, *, needed: bool = False) -> JsonObject:
    """A value alone, an array or an object of such; empty or null: absent."""
    least = int(needed)
    many = [
        array_of(item, minItems=least),
        {"type": "object", "additionalProperties": dict(item), "minProperties": least},
        *([] if needed else [{"type": "null"}]),
    ]
    return {"anyOf": [dict(item) | {"minLength": least}, *many], "description": description}


_CALL = opened(
    {
        params.COMMAND: {"const": CHOICES.command},
        params.API_KEY: TEXT,
        params.TIMESTAMP: {"anyOf": [{"type": "number"}, _DIGITS], "description": "Unix seconds."},
        params.CDN: {**_NUMBER, "description": "The CDN number of the key."},
        params.CDN_ID: {**_NUMBER, "description": f"The same as `{params.CDN}`; where both are sent they are equal."},
        signature.NAME: {
            **text_of(contentEncoding="base64"),
            "description": "HMAC-SHA256 of this text without the member, under the secret key.",
        },
        params.APP: _one_or_many({"type": ["string", "integer"]}, "Names or numbers of apps.", needed=True),
        params.GRAPH: {
            "anyOf": [{"enum": list(CHOICES.graphs)}, {"enum": [str(each) for each in CHOICES.graphs]}],
            "description": "6 hours by minutes, 24 hours by minutes, 7 days by hours, 30 days by days.",
        },
        params.URL: _one_or_many(TEXT, "Streams or files; `|` between several, `*` for any run of characters."),
        params.SERVER: _one_or_many(TEXT, "Servers whose samples count."),
        params.START_TIME: {
            "anyOf": [TEXT, WHOLE, {"type": "null"}],
            "description": "`YYYY-MM-DD HH:MM:SS` in UTC, or Unix seconds; without it the window ends now.",
        },
    },
    optional=[params.CDN, params.CDN_ID, params.URL, params.SERVER, params.START_TIME],
)
_ROW = closed({"app": TEXT, "video_url": TEXT, **dict.fromkeys(COUNTS, WHOLE), "time": TEXT})
_TIME_TAKEN = text_of(pattern=r"^[0-9]+\.[0-9]{4} seconds$")
_SCHEMAS: dict[str, JsonObject] = {
    "Call": _CALL,
    "Viewers": closed(
        {
            "message": {"const": CHOICES.found},
            "status": {"const": "success"},
            "data": array_of(_ROW, minItems=1),
            "handle_time": _TIME_TAKEN,
        }
    ),
    "NoViewers": closed(
        {
            "message": {"const": CHOICES.nobody},
            "status": text_of("failure", "success"),
            "data": array_of(_ROW, maxItems=0),
            "handle_time": _TIME_TAKEN,
        }
    ),
    "Failure": closed(
        {
            "message": TEXT,
            "status": {"const": "failure"},
            "code": text_of(pattern="^000[0-6]$"),
            "handle_time": _TIME_TAKEN,
        }
    ),
}
_FOUND = {
    "message": CHOICES.found,
    "status": "success",
    "data": [
        {
            "app": "acme-vod",
            "video_url": "sestore1/acme/shows/pilot.mp4",
            **dict(zip(COUNTS, (20, 10, 30, 60), strict=True)),
            "time": "2026-11-22 08:11:00",
        }
    ],
    "handle_time": "0.0031 seconds",
}
_NOBODY = {"message": CHOICES.nobody, "status": "failure", "data": [], "handle_time": "0.0012 seconds"}
_FORM: JsonObject = {
    "type": "object",
    "properties": {
        name: {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": ref("Call"),
            "description": f"The signed text; the reply is {reply}.",
        }
        for name, reply in ((JSON_FIELD, "JSON"), (PHP_FIELD, "what PHP's `serialize()` writes"))
    },
    "anyOf": [{"required": [JSON_FIELD]}, {"required": [PHP_FIELD]}],
}
_SIGNED = (
    '{"command":"viewer.log","api_key":"KEY","timestamp":1795339800,"cdn":4242,"app":"acme-vod","graph":1,'
    '"signature":"9jCnqk…="}'
)
_BODY = {
    "required": True,
    "content": content(_FORM, None, "application/x-www-form-urlencoded", call={JSON_FIELD: _SIGNED})
    | content(_FORM, None, "multipart/form-data", call={JSON_FIELD: _SIGNED}),
}
_REPLIES = content(
    {"anyOf": [ref("Viewers"), ref("NoViewers")]}, None, _JSON, found_viewers=_FOUND, no_viewers_found=_NOBODY
) | content(TEXT, None, _PHP)

WIRE = VendorWire(
    title="ScaleEngine API: viewer.log",
    about="""
    Counts of viewers by app, stream and bucket of time, for clients that change only their base URL. A call is a signed
    JSON object in a form; key, time and signature stand in it. Whatever the API itself answers has HTTP status 200,
    failures too: `code` says which. Another method is 405, another path 404.
    """,
    schemas=_SCHEMAS,
    security={},
    error={0: ref("Failure")},
    operations=[
        WireOperation(
            id=f"call_{path.strip('/')}",
            method="POST",
            path=path,
            section=1,
            summary="Ask for counts of viewers",
            about="Of several fields the last counts, `json` before `php`; the trailing slash may be there or not.",
            body=_BODY,
            success={200: answer("The counts, or none.", _REPLIES, **QUALITY)},
            failures=[
                *(*ANY_CALL, *ANY_QUESTION, *ANY_BODY, errors.unreadable(), errors.bad_timestamp()),
                *(errors.bad_signature(), errors.unknown_command(), errors.denied()),
                *(errors.missing([params.APP, params.GRAPH]), errors.invalid(params.START_TIME)),
            ],
        )
        for path in errors.PATHS
    ],
)
