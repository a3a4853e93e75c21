"""Schemas and examples of the wire's bodies, for the OpenAPI document.

docs/vendors/fouryousee.md#3, #4, #5, #6, #9.
"""

from __future__ import annotations

from airtally.kit.openapi import TEXT, WHOLE, JsonObject, array_of, closed, nullable, opened, ref, text_of
from airtally.vendors.fouryousee import params
from airtally.vendors.fouryousee.choices import CHOICES
from airtally.vendors.fouryousee.encode import NEVER, STATUSES, Listing
from airtally.vendors.fouryousee.notices import FailedReportObject, ReportObject
from airtally.vendors.openapi.parts import PROBLEM, struct_schemas

_NAMED = closed({"id": WHOLE, "name": TEXT})
_STATUS_NAMES = (*(name for _, _, name, _ in STATUSES), str(NEVER["name"]))
_PLAYER = closed(
    {
        "id": WHOLE,
        "name": TEXT,
        "description": TEXT,
        "platform": TEXT,
        "lastContactInMinutes": nullable(WHOLE),
        "group": _NAMED,
        "playerStatus": closed({"id": WHOLE, "name": text_of(*_STATUS_NAMES), "time": WHOLE}),
        "playlists": closed({day: {"type": "null"} for day in "0123456"}),
        "audios": closed({"0": {"type": "null"}}),
        "lastLogReceived": nullable(TEXT),
    }
)
_MEDIA = closed(
    {
        "id": WHOLE,
        "name": TEXT,
        "description": TEXT,
        "file": TEXT,
        "durationInSeconds": {"type": "number"},
        "categories": array_of(ref("Category")),
        "schedule": closed({"startDate": {"type": "null"}, "endDate": {"type": "null"}, "times": array_of({})}),
    }
)
_USER = closed({"id": WHOLE, "name": TEXT, "username": TEXT, "email": TEXT, "group": _NAMED})

_DAY = text_of(pattern=f"^{params.DATE.pattern}$")
_CLOCK_TIME = text_of(pattern=f"^{params.TIME.pattern}$")
_IDS: JsonObject = {
    "type": ["array", "null"],
    "items": {"anyOf": [WHOLE, text_of(pattern="^[0-9]{1,19}$")]},
    "description": "Empty, null or absent: all.",
}
_FILTER = opened(
    {
        params.START_DATE: _DAY,
        params.START_TIME: _CLOCK_TIME | {"default": CHOICES.start_time},
        params.END_DATE: _DAY | {"description": f"At most {CHOICES.longest_days} days after the start."},
        params.END_TIME: _CLOCK_TIME | {"default": CHOICES.end_time},
        params.MEDIA_ID: _IDS,
        params.PLAYER_ID: _IDS,
        params.SORT: {"enum": [-1, 1], "default": CHOICES.sort, "description": "-1: newest first."},
    },
    optional=[params.START_TIME, params.END_TIME, params.MEDIA_ID, params.PLAYER_ID, params.SORT],
)
_REQUEST = opened(
    {
        params.TYPE: text_of(*CHOICES.report_types, default=CHOICES.report_types[0]),
        params.WEBHOOK: {
            "type": ["string", "null"],
            "maxLength": CHOICES.webhook_characters,
            "description": "Absolute http or https URL that gets a notice when the report ends; empty: none.",
        },
        params.FILTER: _FILTER,
    },
    optional=[params.TYPE, params.WEBHOOK],
)


def listing_of(item: str) -> JsonObject:
    """The envelope, with its items by the name of their schema."""
    values = (array_of(ref(item)), WHOLE, WHOLE, WHOLE)
    return closed(dict(zip(Listing.__struct_encode_fields__, values, strict=True)))


SCHEMAS: dict[str, JsonObject] = {
    **struct_schemas(ReportObject, FailedReportObject),
    **PROBLEM,
    "ReportRequest": _REQUEST,
    "Player": _PLAYER,
    "Media": _MEDIA,
    "Category": _NAMED,
    "User": _USER,
    "Error": closed({"message": TEXT}),
    "ReportRefused": closed({"message": TEXT, "details": closed({"report": array_of(TEXT, minItems=1)})}),
}

REQUEST_EXAMPLE = {"type": "detailed", "filter": {"startDate": "2026-10-01", "endDate": "2026-10-02", "mediaId": [48]}}
REPORT_EXAMPLE = {
    "id": 7301,
    "type": "detailed",
    "format": "json",
    "filter": {
        "startDate": "2026-10-01",
        "startTime": "00:00:00",
        "endDate": "2026-10-02",
        "endTime": "23:59:59",
        "mediaId": [48],
        "playerId": [],
        "sort": -1,
    },
    "status": "waiting",
    "url": None,
    "createdAt": "2026-11-02T09:15:00+00:00",
    "updatedAt": "2026-11-02T09:15:00+00:00",
}
PLAYER_EXAMPLE = {
    "id": 2,
    "name": "Lobby",
    "description": "",
    "platform": "Linux",
    "lastContactInMinutes": 4,
    "group": {"id": 1, "name": "Default"},
    "playerStatus": {"id": 1, "name": "Online", "time": 10},
    "playlists": dict.fromkeys("0123456"),
    "audios": {"0": None},
    "lastLogReceived": "2026-11-02 09:11:00",
}
MEDIA_EXAMPLE = {
    "id": 48,
    "name": "Coffee",
    "description": "",
    "file": "coffee.mp4",
    "durationInSeconds": 15,
    "categories": [{"id": 3, "name": "Drinks"}],
    "schedule": {"startDate": None, "endDate": None, "times": []},
}
USER_EXAMPLE = {
    "id": 5,
    "name": "Ana",
    "username": "ana",
    "email": "ana@example.com",
    "group": {"id": 1, "name": "Administrators"},
}


def listing_example(item: JsonObject) -> JsonObject:
    return {"results": [item], "total": 1, "currentPage": 1, "totalPages": 1}
