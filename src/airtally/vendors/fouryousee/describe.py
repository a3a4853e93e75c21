"""What the OpenAPI document says of the wire, with the names and choices that the handlers read.

docs/vendors/fouryousee.md#1, #2, #3, #5, #6, #7, #9.
"""

from __future__ import annotations

from airtally.console.errors import respond as respond_as_page
from airtally.jobs.queue import TooManyJobs
from airtally.kit.errors import Failure, Forbidden, NotFound, TooManyRequests, Unauthorized
from airtally.kit.openapi import JSON, TEXT, JsonObject, answer, content, parameter, ref, text_of, whole
from airtally.reports.report import SIGNATURE_NAME
from airtally.vendors.fouryousee import encode, lookups
from airtally.vendors.fouryousee.choices import CHOICES
from airtally.vendors.fouryousee.errors import CORS, PREFLIGHT, REPORTS_PATH, InvalidReport
from airtally.vendors.fouryousee.schemas import (
    MEDIA_EXAMPLE,
    PLAYER_EXAMPLE,
    REPORT_EXAMPLE,
    REQUEST_EXAMPLE,
    SCHEMAS,
    USER_EXAMPLE,
    listing_example,
    listing_of,
)
from airtally.vendors.openapi.declared import VendorWire, WireOperation
from airtally.vendors.openapi.failures import ANY_BODY, ANY_CALL, ANY_QUESTION
from airtally.vendors.openapi.parts import FILE_PARAMETERS, QUALITY, cors_headers, file_responses, preflight

_TOKEN = "token"  # noqa: S105 (the name of a security scheme)
_CORS_TEXTS = cors_headers(CORS)
_CALLER: tuple[Failure, ...] = (*ANY_CALL, Unauthorized(CHOICES.bad_token), TooManyRequests(CHOICES.too_many))
_ITEM = parameter("path", "item", text_of(minLength=1), "The number of it.")
_PAGE = (
    parameter("query", encode.PAGE, whole(1), "From 1; what is no such number counts as 1."),
    parameter(
        "query", encode.LIMIT, whole(1, CHOICES.largest_limit, default=CHOICES.default_limit), "Items on a page."
    ),
)
_SORT = parameter(
    *("query", encode.SORT, TEXT),
    f"Of {', '.join(CHOICES.sortable)}: several with commas between, `-` before one for descending.",
)
_BY_IDS = "Numbers with commas between."
_MEDIA_FILTERS = (
    parameter("query", lookups.ID, TEXT, _BY_IDS),
    parameter("query", lookups.NAME, TEXT, "Part of the name, whatever the case."),
    parameter("query", lookups.CATEGORY_ID, TEXT, _BY_IDS),
)


def _read_operation(name: str, path: str, summary: str, success: JsonObject, **more: object) -> WireOperation:
    """A GET with the token; `more` as in `WireOperation`."""
    given: JsonObject = {"section": 9, "failures": [*_CALLER, *ANY_QUESTION]} | more
    return WireOperation(
        id=name, method="GET", path=f"/v1{path}", summary=summary, security=[_TOKEN], success={200: success}, **given
    )


def _listing_answer(item: str, example: JsonObject, *, counted: bool = True) -> JsonObject:
    """A page of items. `counted`: with headers that say how current it is."""
    headers = _CORS_TEXTS | (QUALITY if counted else {})
    return answer("A page of them.", content(listing_of(item), page=listing_example(example)), **headers)


_REPORTS = (
    _read_operation(
        *("list_reports", "/reports", "List reports", _listing_answer("ReportObject", REPORT_EXAMPLE, counted=False)),
        section=6,
        parameters=[*_PAGE, _SORT],
        failures=_CALLER,
    ),
    WireOperation(
        id="create_report",
        method="POST",
        path=REPORTS_PATH,
        section=5,
        summary="Request a report",
        about="The body is read as JSON whatever its `Content-Type`. Each refusal has a text for each problem.",
        security=[_TOKEN],
        body={"required": True, "content": content(ref("ReportRequest"), None, JSON, request=REQUEST_EXAMPLE)},
        success={
            200: answer("The report, waiting.", content(ref("ReportObject"), report=REPORT_EXAMPLE), **_CORS_TEXTS)
        },
        failures=[
            *(*_CALLER, *ANY_BODY, InvalidReport([f"The maximum interval is {CHOICES.longest_days} days"])),
            TooManyJobs("The account has 1000 reports under way", retry_after=30),
        ],
        error={0: ref("ReportRefused")},
    ),
    _read_operation(
        *("get_report", "/reports/{item}", "Get a report"),
        answer(
            "The report; a failed one has the key `error`.",
            content({"anyOf": [ref("ReportObject"), ref("FailedReportObject")]}, report=REPORT_EXAMPLE),
            **(_CORS_TEXTS | QUALITY | {"Retry_After": "While the report waits: seconds until the next call."}),
        ),
        section=6,
        parameters=[_ITEM],
        failures=[
            *_CALLER,
            Forbidden("Report with ID 7001 does not belong to current user"),
            NotFound("Report with ID 7399 was not found"),
        ],
    ),
)
_LOOKUPS = (
    _read_operation(
        "list_players", "/players", "List players", _listing_answer("Player", PLAYER_EXAMPLE), parameters=_PAGE
    ),
    _read_operation(
        *("get_player", "/players/{item}", "Get a player"),
        answer("The player.", content(ref("Player"), player=PLAYER_EXAMPLE), **_CORS_TEXTS, **QUALITY),
        parameters=[_ITEM],
        failures=[*_CALLER, *ANY_QUESTION, NotFound("Player with ID 7 was not found")],
    ),
    _read_operation(
        *("list_medias", "/medias", "List medias", _listing_answer("Media", MEDIA_EXAMPLE)),
        parameters=[*_PAGE, *_MEDIA_FILTERS],
    ),
    _read_operation(
        *("get_media", "/medias/{item}", "Get a media"),
        answer("The media.", content(ref("Media"), media=MEDIA_EXAMPLE), **_CORS_TEXTS, **QUALITY),
        parameters=[_ITEM],
        failures=[*_CALLER, *ANY_QUESTION, NotFound("Media with ID 7 was not found")],
    ),
    _read_operation(
        *("list_categories", "/medias/categories", "List the categories of medias"),
        _listing_answer("Category", {"id": 3, "name": "Drinks"}),
        parameters=_PAGE,
    ),
    _read_operation(
        *("list_users", "/users", "List the account's users", _listing_answer("User", USER_EXAMPLE, counted=False)),
        parameters=_PAGE,
        failures=_CALLER,
    ),
)
_PLAYLISTS = tuple(
    WireOperation(
        id=name,
        method="GET",
        path=path,
        section=9,
        summary="Playlists are not kept",
        security=[_TOKEN],
        parameters=parameters,
        success={},
        failures=[*_CALLER, NotFound(CHOICES.no_playlists)],
    )
    for name, path, parameters in (
        ("list_playlists", "/v1/playlists", ()),
        ("get_playlist", "/v1/playlists/{item}", (_ITEM,)),
    )
)
_FILE = WireOperation(
    id="get_report_file",
    method="GET",
    path="/{slug}/{name}",
    section=7,
    summary="Fetch a report's file by its link",
    about="""
    The `url` of a report that succeeded; the link is the permission. The file is one gzip member of JSON lines.
    """,
    parameters=[
        parameter("path", "slug", text_of(pattern="^[a-z0-9-]{2,32}(-[A-F0-9]{6})?$"), "The account."),
        parameter("path", "name", text_of(pattern=r"^[1-9][0-9]{0,18}-[0-9a-f]{13}\.gz$"), "The file's name."),
        parameter("query", SIGNATURE_NAME, TEXT, "The link's signature.", required=True),
        *FILE_PARAMETERS,
    ],
    success=file_responses(["application/gzip"]),
    failures=[*ANY_CALL, NotFound("There is no such file, or it is no longer kept")],
    respond=respond_as_page,
    error={0: ref("Problem")},
    head=True,
)
_OF_TOKEN = (*_REPORTS, *_LOOKUPS, *_PLAYLISTS)
_PREFLIGHTS = [
    preflight(each.path, 1, PREFLIGHT, each.parameters) for each in {one.path: one for one in _OF_TOKEN}.values()
]

WIRE = VendorWire(
    title="4YouSee reports API",
    about=f"""
    Reports of plays, and the players, medias and users around them, for clients that change only their base URL. Errors
    are a JSON object with `message`. An address may repeat a call after {CHOICES.seconds_between_calls:g} second.
    Another method is 405, another path 404; both in the same form.
    """,
    schemas=SCHEMAS,
    security={_TOKEN: {"type": "apiKey", "in": "header", "name": "Secret-Token"}},
    error={0: ref("Error")},
    operations=(*_OF_TOKEN, *_PREFLIGHTS, _FILE),
)
