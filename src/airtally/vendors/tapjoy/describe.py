"""What the OpenAPI document says of the wire, with the names and choices that the handlers read.

docs/vendors/tapjoy.md#2, #3, #5, #6, #7.
"""

from __future__ import annotations

from airtally.kit.errors import Forbidden, NotFound, Unauthorized
from airtally.kit.openapi import (
    TEXT,
    WHOLE,
    JsonObject,
    answer,
    array_of,
    closed,
    content,
    parameter,
    ref,
    text_of,
    whole,
)
from airtally.kit.time import DAY_US
from airtally.query.refusal import RowsGone
from airtally.vendors.openapi.declared import VendorWire, WireOperation
from airtally.vendors.openapi.failures import ANY_CALL, ANY_QUESTION
from airtally.vendors.openapi.parts import QUALITY
from airtally.vendors.tapjoy import legacy, params
from airtally.vendors.tapjoy.choices import CHOICES
from airtally.vendors.tapjoy.errors import JSON, LEGACY_PATH, TOKEN_PATH, InvalidParameters
from airtally.vendors.tapjoy.query import COUNTS, SPEND
from airtally.vendors.tapjoy.times import presets

_PRESETS = tuple(presets(7 * DAY_US))
_STAMP = 1795132800

_PAIR: JsonObject = {
    "type": "array",
    "prefixItems": [WHOLE, {"type": "number"}],
    "items": False,
    "minItems": 2,
    "description": "Start of a bucket in Unix seconds, and its figure.",
}
_SERIES = closed({name: array_of(_PAIR) for name in (*COUNTS, SPEND)})
_COUNTRIES: JsonObject = {
    "type": "object",
    "propertyNames": {"pattern": "^[A-Z]{2}$"},
    "additionalProperties": ref("Series"),
}
_GROUP = closed(
    {
        "insights": {"anyOf": [ref("Series"), ref("SeriesByCountry")]},
        "metadata": closed({"name": TEXT, "platform": TEXT, "secondary_offer_id": TEXT}, ["secondary_offer_id"]),
        "rel": closed({"link": text_of(format="uri")}, description="Leads to the secondary offer's insights."),
    },
    optional=["rel"],
)
_APP = closed(
    {
        "AppKey": TEXT,
        "Name": TEXT,
        "AppName": TEXT,
        "AppStoreID": TEXT,
        "Platform": TEXT,
        "PaidClicks": WHOLE,
        "PaidInstalls": WHOLE,
        "Spend": {"type": "number"},
    }
)
_SCHEMAS: dict[str, JsonObject] = {
    "Token": closed(
        {
            "access_token": TEXT,
            "token_type": {"const": "bearer"},
            "expires_in": {"const": CHOICES.expires_in},
            "refresh_token": {"type": "null"},
        }
    ),
    "Series": _SERIES,
    "SeriesByCountry": _COUNTRIES,
    "Insights": closed(
        {"data": {"type": "object", "additionalProperties": _GROUP, "minProperties": 1, "maxProperties": 1}}
    ),
    "LegacyReport": closed({"Date": text_of(format="date"), "TotalPages": whole(1), "Apps": array_of(_APP)}),
    "Error": closed({"error": TEXT}),
    "Errors": closed({"errors": array_of(TEXT, minItems=1)}),
}
_TOKEN = {"access_token": "Zm9yLXNob3c=", "token_type": "bearer", "expires_in": 3600, "refresh_token": None}
_SERIES_EXAMPLE = {name: [[_STAMP, 10]] for name in COUNTS} | {SPEND: [[_STAMP, -12.5]]}
_METADATA = {"name": "Harbour Tycoon", "platform": "iOS", "secondary_offer_id": "A2"}
_INSIGHTS = {
    "data": {
        "A1": {
            "insights": {"US": _SERIES_EXAMPLE},
            "metadata": _METADATA,
            "rel": {"link": "https://insights.example/v1/ad_groups/A2/insights"},
        }
    }
}
_REPORT = {
    "Date": "2026-11-20",
    "TotalPages": 1,
    "Apps": [
        {
            "AppKey": "A1",
            "Name": "Harbour Tycoon",
            "AppName": "Harbour Tycoon",
            "AppStoreID": "",
            "Platform": "iOS",
            "PaidClicks": 13,
            "PaidInstalls": 5,
            "Spend": -14.75,
        }
    ],
}

_REFUSED = Unauthorized(CHOICES.unauthorized)
_INVALID = InvalidParameters([f"{params.END_TIME} must be after {params.START_TIME}"])
_GONE = RowsGone("Retention has removed the rows.", hint="Ask for a later interval.", instead=())


_TIME = "ISO 8601 date-time on a whole hour; UTC without an offset."
_INSIGHTS_PARAMETERS = (
    parameter("path", "ad_group_id", text_of(minLength=1), "The ad group, whatever the case of the letters A to Z."),
    parameter("query", params.START_TIME, TEXT, f"{_TIME} Only together with `{params.END_TIME}`."),
    parameter("query", params.END_TIME, TEXT, f"{_TIME} It is not included."),
    parameter(
        "query",
        params.PRESET,
        text_of(*_PRESETS, default=CHOICES.default_preset),
        "Days of UTC; not with the two above.",
    ),
    parameter(
        "query",
        params.INCREMENT,
        text_of(*CHOICES.increments, default=CHOICES.default_increment),
        "Length of the buckets.",
    ),
    parameter("query", params.BREAKDOWNS, text_of(*CHOICES.breakdowns), "What the figures are split by."),
    parameter("query", params.BREAKDOWNS_LIST, text_of(*CHOICES.breakdowns), f"The same as `{params.BREAKDOWNS}`."),
)
_LEGACY_PARAMETERS = (
    parameter("query", legacy.EMAIL, TEXT, "Counts where an e-mail address was imported with the key."),
    parameter(
        "query",
        legacy.DATE,
        text_of(format="date"),
        f"The day, at most {CHOICES.years_back} years ago; default: today.",
    ),
    parameter(
        "query", legacy.ZONE, text_of(pattern=r"^[+\- ]?[0-9]{1,2}$", default="0"), "Whole hours from UTC, -12 to +14."
    ),
    parameter("query", legacy.PAGE, whole(1, 999_999_999, default=1), "From 1."),
    parameter(
        "query",
        legacy.PAGE_SIZE,
        whole(1, 999_999_999, default=CHOICES.default_page_size),
        f"Ad groups on a page; more than {CHOICES.largest_page_size} are served as so many.",
    ),
)


WIRE = VendorWire(
    title="Tapjoy Insights Reporting API",
    about="""
    Figures of ad groups, for clients that change only their base URL. A key is traded for an access token, with which
    insights are asked for. `errors`, a list, comes with 422; `error`, a text, with every other failure. Another method
    is 405 with `Allow`, another path 404.
    """,
    schemas=_SCHEMAS,
    security={
        "key": {
            "type": "http",
            "scheme": "basic",
            "description": "The reporting key as it is, its Base64, or the Base64 of the key and a colon.",
        },
        "token": {"type": "http", "scheme": "bearer", "description": "An access token."},
        "legacyKey": {
            "type": "apiKey",
            "in": "query",
            "name": legacy.API_KEY,
            "description": "The reporting key, or a legacy key that was imported with it.",
        },
    },
    error={0: ref("Error"), 422: ref("Errors")},
    operations=(
        WireOperation(
            id="issue_token",
            method="POST",
            path=TOKEN_PATH,
            section=2,
            summary="Trade the key for an access token",
            about="Query string and body are ignored. Earlier tokens stay valid.",
            security=["key"],
            success={
                200: answer("A token.", content(ref("Token"), None, JSON, token=_TOKEN), Cache_Control="No-store.")
            },
            failures=[*ANY_CALL, _REFUSED],
        ),
        WireOperation(
            id="get_insights",
            method="GET",
            path="/v1/ad_groups/{ad_group_id}/insights",
            section=3,
            summary="Get the figures of an ad group",
            about="An empty value counts as absent, unknown parameters are ignored, of a repeated one the last counts.",
            security=["token"],
            parameters=_INSIGHTS_PARAMETERS,
            success={200: answer("The figures.", content(ref("Insights"), None, JSON, insights=_INSIGHTS), **QUALITY)},
            failures=[
                *(*ANY_CALL, *ANY_QUESTION, _REFUSED, Forbidden(CHOICES.foreign), NotFound(CHOICES.not_found)),
                *(_INVALID, _GONE),
            ],
        ),
        WireOperation(
            id="get_legacy_report",
            method="GET",
            path=LEGACY_PATH,
            section=7,
            summary="List the ad groups with the figures of one day",
            security=["legacyKey"],
            parameters=_LEGACY_PARAMETERS,
            success={200: answer("The report.", content(ref("LegacyReport"), None, JSON, report=_REPORT), **QUALITY)},
            failures=[*ANY_CALL, *ANY_QUESTION, _REFUSED, _INVALID, _GONE],
        ),
    ),
)
